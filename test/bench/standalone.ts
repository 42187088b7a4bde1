import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { format, median } from './numbers.ts'

/*
 * Times ADD and DEL of the executable beside the reference plugins bridge and host-local, and beside the bare start
 * of the same Node.js: in one run and turn by turn, so that what else the machine does hits all of them alike.
 * Every call is a process of its own, as a container runtime makes it. Usage: make bench [ROUNDS=100]
 */

const ROUNDS = Number(process.argv[2] ?? 100)
/** ADD of the executable, as a multiple of `node -e 0`. */
const TARGET = 1.5
const REFERENCE = '/usr/lib/cni'
const PODWIRE = `${import.meta.dirname}/../../dist`

/** One plugin with one config; its bridge, addresses and container are its own. */
interface Contender {
  readonly name: string
  readonly program: string
  readonly config: string
  readonly env: NodeJS.ProcessEnv
  readonly add: number[]
  readonly del: number[]
}

let made = 0

function contender(name: string, folder: string, types: readonly [string, string], keys: object): Contender {
  made += 1
  const netns = `bench${made}`
  must('ip', ['netns', 'add', netns])
  const subnet = `10.${made}.0.0/16`
  const dataDir = mkdtempSync('/run/bench-')
  const ipam = { type: types[1], dataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] }
  const network = { cniVersion: '1.0.0', name: netns, type: types[0], bridge: netns, isGateway: true }
  return {
    name,
    program: `${folder}/${types[0]}`,
    config: JSON.stringify({ ...network, ...keys, ipam }),
    env: {
      PATH: process.env['PATH'],
      CNI_PATH: folder,
      CNI_CONTAINERID: netns,
      CNI_NETNS: `/run/netns/${netns}`,
      CNI_IFNAME: 'eth0',
    },
    add: [],
    del: [],
  }
}

/** Runs a program to its end; answers how many milliseconds it took. */
function must(program: string, args: readonly string[], env = process.env, input = ''): number {
  const start = performance.now()
  const { status, stdout, stderr, error } = spawnSync(program, args, { env, input, encoding: 'utf8' })
  const took = performance.now() - start
  if (status === 0) return took
  throw new Error(`Cannot run "${program}": ${error?.message ?? `${stdout}${stderr}`.trim()}`)
}

const call = ({ program, env, config }: Contender, command: string): number =>
  must(program, [], { ...env, CNI_COMMAND: command }, config)

/** Attaches a container that stays: a node has pods already when the next one comes. */
function settle(contender: Contender): void {
  const netns = `${contender.env['CNI_CONTAINERID']}-resident`
  must('ip', ['netns', 'add', netns])
  const env = { ...contender.env, CNI_CONTAINERID: netns, CNI_NETNS: `/run/netns/${netns}` }
  call({ ...contender, env }, 'ADD')
}

/** One ADD and one DEL of each; who begins changes from round to round. */
function round(contenders: readonly Contender[], bare: number[], number: number): void {
  bare.push(must(process.execPath, ['-e', '0']))
  for (let i = 0; i < contenders.length; i++) {
    const each = contenders[(number + i) % contenders.length] as Contender
    each.add.push(call(each, 'ADD'))
    each.del.push(call(each, 'DEL'))
  }
}

function print(ours: Contender, theirs: Contender): void {
  for (const verb of ['add', 'del'] as const) {
    const cells = [ours[verb], theirs[verb]].map(times => format(times).padStart(16))
    const ratio = median(ours[verb]) / median(theirs[verb])
    console.log(`${verb.toUpperCase()} ${ours.name}`.padEnd(16), ...cells, ratio.toFixed(2).padStart(8))
  }
}

function run(): void {
  const pairs = [
    ['plain', {}],
    ['with ipMasq', { ipMasq: true }],
  ].map(([name, keys]) => ({
    ours: contender(name as string, PODWIRE, ['podwire', 'podwire-ipam'], keys as object),
    theirs: contender(name as string, REFERENCE, ['bridge', 'host-local'], keys as object),
  }))
  const all = pairs.flatMap(({ ours, theirs }) => [ours, theirs])
  const bare: number[] = []
  all.forEach(settle)
  // The first round reads the programs from the disk: it does not count.
  for (let i = 0; i <= ROUNDS; i++) {
    if (i === 1) for (const times of [bare, ...all.flatMap(c => [c.add, c.del])]) times.length = 0
    round(all, bare, i)
  }
  console.log(
    `${cpus()[0]?.model ?? 'unknown CPU'} × ${cpus().length}, Linux ${release()}, Node.js ${process.version}`,
  )
  console.log(`make bench: ${ROUNDS} rounds; milliseconds for a whole process, median / 95th percentile\n`)
  console.log(''.padEnd(16), 'podwire'.padStart(16), 'reference'.padStart(16), 'ratio'.padStart(8))
  for (const { ours, theirs } of pairs) print(ours, theirs)
  console.log('node -e 0'.padEnd(16), format(bare).padStart(16))
  const multiple = median(pairs[0]?.ours.add ?? []) / median(bare)
  const verdict = multiple <= TARGET ? 'met' : 'missed'
  console.log(`\nADD is ${multiple.toFixed(2)} × node -e 0; the target of at most ${TARGET} is ${verdict}`)
}

if (existsSync(`${REFERENCE}/bridge`)) run()
else
  console.error(
    `Cannot compare with the reference: no ${REFERENCE}/bridge; apt-get install containernetworking-plugins`,
  )
