import { type ChildProcess, spawn } from 'node:child_process'
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import t from 'tap'
import { type Attach, type Config, Lab, type Pod, PODWIRE } from '../netns/lab.ts'
import { whyNoLimits } from '../netns/limits.ts'
import { Broom } from './broom.ts'

/*
 * The sweep frees what attachments leave that nobody will DEL, and nothing else. The clock is the test's.
 */

const GRACE = 60_000
const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const NOTHING = { links: ['cbr0'], rules: [], reservations: [] }

const configOf = (lab: Lab, keys: Config = {}, ipam: Config = DUAL): Config =>
  lab.config({ mode: 'l3', ...keys }, ipam)
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const store = (lab: Lab): string => `${lab.folder}/ipam/lab`

/** Waits until the kernel has taken a dead namespace's links away. */
async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`)
    await after(10)
  }
}

/** The container's namespace goes, and nobody sends a DEL. */
async function leak(lab: Lab, ...pods: Pod[]): Promise<void> {
  for (const pod of pods) lab.remove(pod.netns)
  const links = async () => (await lab.traces()).links
  await until('the veths are gone', async () => {
    const left = await links()
    return pods.every(pod => !left.includes(hostVeth(pod)))
  })
}

t.test('a sweep frees what a dead container holds, after the grace period', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  const [pod, leaked] = [await lab.attach(config), await lab.attach(config)]
  const broom = new Broom(t, lab, config, GRACE)
  t.match(await broom.sweep(0), { report: { attachments: 2, freed: 0, waiting: 0 } })
  await leak(lab, leaked)
  t.match(await broom.sweep(1), { report: { attachments: 1, freed: 0, waiting: 1 } })
  t.match(await broom.sweep(GRACE), { report: { attachments: 1, freed: 0, waiting: 1 } })
  const { report, log } = await broom.sweep(GRACE + 1)
  t.same(report, { attachments: 1, freed: 1, rules: 0, ifbs: 0, waiting: 0, failures: [] })
  t.equal(log.length, 1)
  t.match(log[0], /^Freed \S+ and \S+ of container c2, interface eth0: its veth \S+ is gone/)
  t.equal((await lab.traces()).reservations.length, 4, 'two addresses and their links in the index are left')
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0 })
  t.match(await broom.sweep(GRACE + 2), {
    report: { attachments: 1, freed: 0, waiting: 0 },
    log: { length: 0 },
  })
})

t.test(
  'a sweep takes the ifb devices of dead containers, whether or not they hold addresses',
  { skip: whyNoLimits() },
  async t => {
    const lab = new Lab(t)
    const config = configOf(lab)
    const limited = { ...config, egressRate: 8e6, egressBurst: 8e6 }
    const other = { ...limited, name: 'other', mode: 'l2', ipam: undefined, isDefaultGateway: false }
    const [pod, leaked] = [await lab.attach(limited), await lab.attach(limited)]
    const bare = await lab.attach({ ...other, name: 'lab' })
    await leak(lab, leaked, bare, await lab.attach(other))
    const ifbOf = ({ result }: Pod): string => result.interfaces[3].name
    const broom = new Broom(t, lab, config, GRACE)
    t.match(await broom.sweep(0), { report: { attachments: 1, freed: 0, ifbs: 0, waiting: 2 } })
    const { report, log } = await broom.sweep(GRACE)
    t.same(report, { attachments: 1, freed: 1, rules: 0, ifbs: 1, waiting: 0, failures: [] })
    t.match(log[1], /^Removed the ifb device bwp\S+: /)
    const { links } = await lab.traces()
    const [kept, ...gone] = [pod, leaked, bare].map(ifbOf)
    t.ok(links.includes(kept!), 'the live container’s is there')
    t.notOk(
      gone.some(name => links.includes(name)),
      'those of the dead are gone',
    )
    t.equal(links.filter(name => name.startsWith('bwp')).length, 2, 'another network’s is nobody’s business')
  },
)

t.test('a sweep never takes a live container, however often it runs', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  const pod = await lab.attach(config)
  const renamed = await lab.attach(config)
  await lab.inside(lab.host, 'ip', 'link', 'set', hostVeth(renamed), 'name', 'other0')
  const broom = new Broom(t, lab, config, 0)
  for (let time = 0; time < 100; time += 1) {
    const { report } = await broom.sweep(time)
    if (time % 20 === 0) t.match(report, { attachments: 2, freed: 0, waiting: 0 })
  }
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0 })
  t.equal((await lab.traces()).reservations.length, 8)
})

t.test('rules of a dead container go with it, and rules that nobody holds an address by', async t => {
  const lab = new Lab(t)
  const config = configOf(lab, { ipMasq: true, macspoofchk: true })
  const pods = [await lab.attach(config), await lab.attach(config)] as const
  const mapped = (hostPort: number): Config => ({
    ...config,
    runtimeConfig: { portMappings: [{ hostPort, containerPort: 80 }] },
  })
  const before = await lab.traces()
  const leaked = [await lab.attach(mapped(8080)), await lab.attach(mapped(8081))] as const
  await leak(lab, ...leaked)
  // Of the second only rules are left.
  for (const address of leaked[1].addresses) rmSync(`${store(lab)}/${address}`)
  const broom = new Broom(t, lab, config, GRACE)
  t.match(await broom.sweep(0), { report: { attachments: 2, waiting: 2 } })
  t.match(await broom.sweep(GRACE), { report: { freed: 1, rules: 1, waiting: 0, failures: { length: 0 } } })
  const left = await lab.traces()
  t.same([left.links, left.rules], [before.links, before.rules])
  for (const pod of pods)
    t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0 })
})

t.test('rules of an earlier config of the network go too, those of other networks stay', async t => {
  const lab = new Lab(t)
  const leaked = await lab.attach(configOf(lab, { ipMasq: true }))
  const other = configOf(
    lab,
    { ipMasq: true, name: 'other', bridge: 'other0' },
    { ranges: [[{ subnet: '10.2.0.0/24' }]] },
  )
  const foreign = await lab.attach(other)
  await leak(lab, leaked, foreign)
  const broom = new Broom(t, lab, configOf(lab), GRACE)
  await broom.sweep(0)
  t.match(await broom.sweep(GRACE), { report: { freed: 1, rules: 0, waiting: 0 } })
  const { rules, reservations } = await lab.traces()
  t.ok(rules.length > 0 && rules.every(rule => !rule.includes(hostVeth(leaked))))
  t.ok(
    rules.some(rule => rule.includes(`other ${hostVeth(foreign)}`)),
    'the other network’s are left',
  )
  t.equal(reservations.length, 2, 'as is its address')
})

/** An ADD that has been started. */
interface UnderWay {
  readonly child: ChildProcess
  /** What it answered. */
  readonly ended: Promise<string>
}

/** Starts an ADD; nsenter becomes the plugin, so that a signal reaches it. */
function startAdd(lab: Lab, config: Config, pod: Attach): UnderWay {
  const env = {
    PATH: process.env['PATH'],
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: pod.id,
    CNI_NETNS: lab.path(pod.netns),
    CNI_IFNAME: 'eth0',
  }
  const child = spawn('nsenter', [`--net=${lab.path(lab.host)}`, PODWIRE], { env, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stdin.end(JSON.stringify(config))
  return { child, ended: new Promise(resolve => child.on('close', () => resolve(output))) }
}

t.test(
  'of ADDs that are killed at any point, sweeps leave nothing once their containers are gone',
  async t => {
    const lab = new Lab(t)
    const config = configOf(lab, { ipMasq: true })
    const started = performance.now()
    const whole = await lab.attach(config)
    const duration = performance.now() - started
    const before = await lab.traces()
    const count = 24
    const pods = Array.from({ length: count }, (_, i) => ({ id: `killed${i}`, netns: lab.namespace() }))
    for (const [i, pod] of pods.entries()) {
      const { child, ended } = startAdd(lab, config, pod)
      await Promise.race([after(duration * (0.3 + (0.7 * i) / count)), ended])
      child.kill('SIGKILL')
      await ended
    }
    t.comment(`${(await lab.traces()).reservations.length - before.reservations.length} files left behind`)
    for (const pod of pods) lab.remove(pod.netns)
    await until('the veths are gone', async () => (await lab.traces()).links.length === before.links.length)
    const broom = new Broom(t, lab, config, GRACE)
    await broom.sweep(0)
    t.match(await broom.sweep(GRACE), { report: { attachments: 1, waiting: 0, failures: { length: 0 } } })
    const { links, rules, reservations } = await lab.traces()
    t.same([links, rules], [before.links, before.rules])
    const own = reservations.filter(file => file.startsWith(`${store(lab)}/`))
    t.same(own, whole.addresses.map(address => `${store(lab)}/${address}`).sort())
  },
)

/** Stops an ADD as soon as it holds an address. The bridge that it has yet to make gives us time for that. */
async function stoppedAdd(lab: Lab, config: Config, pod: Attach): Promise<UnderWay> {
  await lab.inside(lab.host, 'sh', '-c', 'ip link del cbr0 2>/dev/null || true')
  mkdirSync(store(lab), { recursive: true })
  const add = startAdd(lab, config, pod)
  const watcher = watch(store(lab), () => add.child.kill('SIGSTOP'))
  const stopped = (): boolean => /\) T /.test(readFileSync(`/proc/${add.child.pid}/stat`, 'utf8'))
  await until('it is stopped', async () => add.child.exitCode !== null || stopped())
  watcher.close()
  return add
}

t.test('an ADD that takes longer than the grace period keeps its addresses', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  const broom = new Broom(t, lab, config, 0)
  let [caught, time] = [0, 0]
  for (let i = 0; i < 40 && caught < 3; i += 1) {
    const pod = { id: `slow${i}`, netns: lab.namespace() }
    const { child, ended } = await stoppedAdd(lab, config, pod)
    for (let sweeps = 0; sweeps < 3; sweeps += 1) {
      const { report } = await broom.sweep((time += 1))
      t.match(report, { freed: 0, failures: { length: 0 } })
      if (sweeps === 2) caught += report!.waiting
    }
    child.kill('SIGCONT')
    const prevResult = JSON.parse(await ended)
    t.match(await lab.call('CHECK', { ...config, prevResult }, pod), { code: 0 })
    t.match(await lab.call('DEL', config, pod), { code: 0 })
  }
  t.equal(caught, 3, 'so often it was stopped with addresses and without a veth')
})

t.test('an ADD that was killed there does not', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  const broom = new Broom(t, lab, config, 0)
  let time = 0
  for (let i = 0, waiting = 0; i < 40 && waiting === 0; i += 1) {
    const { child, ended } = await stoppedAdd(lab, config, { id: `dead${i}`, netns: lab.namespace() })
    await broom.sweep((time += 1))
    waiting = (await broom.sweep((time += 1))).report!.waiting
    child.kill('SIGKILL')
    await ended
  }
  t.match(await broom.sweep(time + 1), { report: { freed: 1, waiting: 0 } })
})

t.test('while sweeps run without a pause, every ADD and DEL does all of its work', async t => {
  const lab = new Lab(t)
  const config = configOf(lab, {}, { ranges: [[{ subnet: '10.1.0.0/28' }], [{ subnet: 'fd00:1::/64' }]] })
  const broom = new Broom(t, lab, config, 0)
  const done = new AbortController()
  const sweeping = (async () => {
    let [sweeps, freed] = [0, 0]
    for (; !done.signal.aborted; sweeps += 1) freed += (await broom.sweep(sweeps)).report!.freed
    return { sweeps, freed }
  })()
  const lives = await Promise.all(
    Array.from({ length: 4 }, async (_, worker) => {
      const problems: unknown[] = []
      for (let i = 0; i < 10; i += 1) {
        const pod = { id: `w${worker}-${i}`, netns: lab.namespace() }
        const added = await lab.call('ADD', config, pod)
        const checked = await lab.call('CHECK', { ...config, prevResult: added.json }, pod)
        const deleted = await lab.call('DEL', config, pod)
        problems.push(...[added, checked, deleted].filter(({ code }) => code !== 0))
      }
      return problems
    }),
  )
  done.abort()
  const { sweeps, freed } = await sweeping
  t.comment(`${sweeps} sweeps, ${freed} of them finished a DEL that was under way`)
  t.same(lives.flat(), [])
  t.same(await lab.traces(), NOTHING)
})

t.test('a sweep leaves files that are no reservation, and says so once', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  await lab.attach(config)
  const file = (name: string): string => `${store(lab)}/${name}`
  writeFileSync(file('10.1.0.100'), '')
  writeFileSync(file('10.1.0.101'), Buffer.from([0, 1, 2, 255]))
  writeFileSync(file('10.1.0.102'), 'c9')
  mkdirSync(file('10.1.0.103'))
  symlinkSync('/etc/shadow', file('10.1.0.104'))
  writeFileSync(file('10.1.0.105'), 'c9\r\n../x')
  writeFileSync(file('notes'), 'mine')
  const broom = new Broom(t, lab, config, GRACE)
  t.match(await broom.sweep(0), { report: { attachments: 1, waiting: 0 }, log: { length: 0 } })
  const { report, log } = await broom.sweep(GRACE)
  t.match(report, { freed: 0, waiting: 0 })
  t.equal(log.length, 6)
  t.match(
    log[0],
    /^Left the address 10\.1\.0\.10\d taken: it .*; remove \/run\/.* when no container uses it$/,
  )
  t.match(await broom.sweep(GRACE + 1), { log: { length: 0 } })
  t.equal(readFileSync(file('10.1.0.102'), 'utf8'), 'c9')
  t.ok(statSync(file('notes')))
})

t.test('a sweep frees what host-local reserved, without reading all files for each', async t => {
  const lab = new Lab(t)
  const config = configOf(lab, {}, { ranges: [[{ subnet: '10.1.0.0/16' }]] })
  mkdirSync(store(lab), { recursive: true })
  const count = 3000
  for (let i = 0; i < count; i += 1)
    writeFileSync(`${store(lab)}/10.1.${1 + (i >> 8)}.${i & 255}`, `held${i}\r\neth0`, { mode: 0o600 })
  writeFileSync(`${store(lab)}/last_reserved_ip.0`, '10.1.9.9')
  const broom = new Broom(t, lab, config, GRACE)
  const first = await broom.sweep(0)
  t.match(first, { report: { attachments: 0, freed: 0, waiting: count } })
  const { report, took, longest } = await broom.sweep(GRACE)
  t.match(report, { freed: count, waiting: 0, failures: { length: 0 } })
  t.comment(
    `looked at ${count} in ${first.took.toFixed(0)} ms, freed them in ${took.toFixed(0)} ms, others waited ${longest.toFixed(0)} ms at most`,
  )
  t.same((await lab.traces()).reservations, [])
})

t.test('what a container of the same name holds anew is not stale', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  mkdirSync(store(lab), { recursive: true })
  const address = `${store(lab)}/10.1.0.9`
  const reserve = (): void => writeFileSync(address, 'again\r\neth0')
  reserve()
  const broom = new Broom(t, lab, config, GRACE)
  await broom.sweep(0)
  // Linked, so that the file system cannot use the inode again.
  linkSync(address, `${lab.folder}/kept`)
  rmSync(address)
  reserve()
  t.match(await broom.sweep(GRACE), { report: { freed: 0, waiting: 1 } })
  t.match(await broom.sweep(2 * GRACE), { report: { freed: 1, waiting: 0 } })
})

t.test('a sweep needs no nft', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  await leak(lab, await lab.attach(config))
  writeFileSync(`${lab.folder}/nft`, '#!/bin/sh\necho it is broken >&2\nexit 1\n', { mode: 0o755 })
  const broom = new Broom(t, lab, config, GRACE, { PATH: `${lab.folder}:${process.env['PATH']}` })
  await broom.sweep(0)
  const { report } = await broom.sweep(GRACE)
  t.same([report?.freed, report?.failures], [1, []])
})

t.test('a store that is none, or is missing', async t => {
  const lab = new Lab(t)
  const config = configOf(lab)
  const broom = new Broom(t, lab, config, 0)
  t.same((await broom.sweep(0)).report, {
    attachments: 0,
    freed: 0,
    rules: 0,
    ifbs: 0,
    waiting: 0,
    failures: [],
  })
  mkdirSync(`${lab.folder}/ipam`)
  writeFileSync(store(lab), 'no folder')
  t.match(await broom.sweep(1), { error: /^Cannot list \/run\/.*not a folder/ })
  rmSync(store(lab))
  t.match(await broom.sweep(2), { report: { attachments: 0 } })
})
