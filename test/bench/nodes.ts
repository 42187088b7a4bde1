import { mkdtempSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'
import { ControlPlane, lacksControlPlane } from './control-plane.ts'
import { Crowd } from './crowd.ts'
import { Monitor, monitorElements } from './monitor.ts'
import { internalIp, type Place, podCidr } from './node-object.ts'
import { format } from './numbers.ts'
import { cpuMs, type Memory, memoryMb } from './process.ts'
import { connect, ip, nft, startDaemon } from './subject.ts'

/*
 * Measures the daemon in a cluster of thousands of nodes: a real API server that holds their objects, and the kernel
 * of this machine in a namespace of its own. Usage: make bench-nodes [NODES=5000]
 */

const NODES = Number(process.argv[2] ?? 5000)
const ROUNDS = 20
/** The daemon looks at everything once a minute. */
const IDLE_SECONDS = 60
/** Kubelets send their status at least that often. */
const BEAT_SECONDS = 300
const BEATING_SECONDS = 30

/** That it calls itself ready is not enough: the kernel is asked. */
function mustBeComplete(): void {
  const routes = ip('route', 'show', 'proto', '117').trim().split('\n').length
  const counts = ['cluster-pods4', 'cluster-nodes4'].map(
    set => (nft('list', 'set', 'inet', 'podwire', set).match(/\d+\.\d+\.\d+\.\d+/g) ?? []).length,
  )
  if (routes === NODES - 1 && counts.every(count => count === NODES)) return
  throw new Error(
    `The daemon is ready with ${routes} routes and ${counts.join(' and ')} elements in its sets`,
  )
}

async function startMonitors(): Promise<{ readonly routes: Monitor; readonly rules: Monitor }> {
  const routes = new Monitor('ip', 'monitor', 'route')
  await routes.hears(/^blackhole 192\.0\.2\.0/, () => ip('route', 'replace', 'blackhole', '192.0.2.0/24'))
  return { routes, rules: await monitorElements() }
}

/** How long one kind of change took, each time. */
interface Changes {
  readonly move: number[]
  readonly remove: number[]
  readonly add: number[]
}

/**
 * One node after the other changes its address, goes and comes again. A change is timed from the moment when the API
 * server is asked for it until both the route and the sets have it in the kernel.
 */
async function change(crowd: Crowd): Promise<Changes> {
  const { routes, rules } = await startMonitors()
  const times: Changes = { move: [], remove: [], add: [] }
  const timed = async (into: number[], ask: () => Promise<string>, route: RegExp, rule: RegExp) => {
    const seen = [routes.expect(route), rules.expect(rule)]
    const started = performance.now()
    await ask()
    into.push(Math.max(...(await Promise.all(seen))) - started)
  }
  for (let round = 0; round <= ROUNDS; round++) {
    const place = 1 + round * 7
    const elsewhere = NODES + round
    const [network, address] = [quote(podCidr(place)), quote(internalIp(elsewhere))]
    const via = new RegExp(`^${network} via ${address} `)
    const noWay = new RegExp(`^Deleted ${network} `)
    const inSet = new RegExp(`^add element .* cluster-nodes4 \\{.*\\b${address}\\b`)
    const notInSet = new RegExp(`^delete element .* cluster-nodes4 \\{.*\\b${address}\\b`)
    await timed(times.move, () => crowd.move(place, elsewhere), via, inSet)
    await timed(times.remove, () => crowd.remove(place), noWay, notInSet)
    await timed(times.add, () => crowd.add(place), backAt(place), new RegExp(quote(internalIp(place))))
    // The first round warms everything up.
    if (round === 0) for (const kind of [times.move, times.remove, times.add]) kind.length = 0
  }
  return times
}

const backAt = (place: Place): RegExp =>
  new RegExp(`^${quote(podCidr(place))} via ${quote(internalIp(place))} `)

const quote = (text: string): string => text.replaceAll('.', '\\.')

/** CPU time for each second, in milliseconds. */
async function cpuPerSecond(pid: number, seconds: number, meanwhile = async () => {}): Promise<number> {
  const before = cpuMs(pid)
  await Promise.all([pause(seconds * 1000), meanwhile()])
  return (cpuMs(pid) - before) / seconds
}

/** All kubelets send their status in turn, as they do when nothing happens. */
async function beatAll(crowd: Crowd): Promise<void> {
  const intervalMs = (BEAT_SECONDS * 1000) / NODES
  const started = performance.now()
  for (let beats = 1; beats * intervalMs < BEATING_SECONDS * 1000; beats++) {
    await pause(Math.max(0, started + beats * intervalMs - performance.now()))
    await crowd.beat(beats % NODES, beats)
  }
}

function print(what: string, measured: string, target: string): void {
  console.log(what.padEnd(44), measured.padStart(22), target.padStart(14))
}

const formatMemory = ({ now, file }: Memory): string => `${now.toFixed(0)} MB, ${file.toFixed(0)} program`

async function measure(folder: string, plane: ControlPlane): Promise<void> {
  const crowd = new Crowd(plane)
  console.error(`Registering ${NODES} nodes`)
  await crowd.gather(NODES)
  console.error('Starting the daemon')
  const { pid, startMs } = await startDaemon(folder, plane.kubeconfig)
  mustBeComplete()
  const afterStart = memoryMb(pid)
  console.error('Changing nodes')
  const { move, remove, add } = await change(crowd)
  console.error(`Leaving it alone for ${IDLE_SECONDS} s, then with heartbeats for ${BEATING_SECONDS} s`)
  const idle = await cpuPerSecond(pid, IDLE_SECONDS)
  const beating = await cpuPerSecond(pid, BEATING_SECONDS, () => beatAll(crowd))
  const atEnd = memoryMb(pid)
  print('', 'measured', 'target')
  print('start to first full state, ready', `${(startMs / 1000).toFixed(2)} s`, '10 s')
  print('a node has another address', `${format(move)} ms`, '100 ms')
  print('a node goes', `${format(remove)} ms`, '100 ms')
  print('a node comes', `${format(add)} ms`, '100 ms')
  print('memory after the start', formatMemory(afterStart), '150 MB')
  print('memory at the end', formatMemory(atEnd), '150 MB')
  print('memory at most', `${atEnd.peak.toFixed(0)} MB`, '')
  print('CPU when nothing changes', `${(idle / 10).toFixed(2)} %`, '~0')
  print(
    `CPU with ${(NODES / BEAT_SECONDS).toFixed(0)} heartbeats a second`,
    `${(beating / 10).toFixed(2)} %`,
    '',
  )
}

async function run(): Promise<void> {
  console.log(`${cpus()[0]?.model ?? 'unknown CPU'} × ${cpus().length}, Linux ${release()}`)
  console.log(`make bench-nodes: ${NODES} nodes; changes ${ROUNDS} times, median / 95th percentile\n`)
  connect()
  const folder = mkdtempSync('/run/bench-')
  await measure(folder, await ControlPlane.start(`${folder}/plane`, internalIp(0)))
}

const problem = lacksControlPlane()
if (problem === undefined) await run()
else console.error(problem)
process.exit(problem === undefined ? 0 : 1)
