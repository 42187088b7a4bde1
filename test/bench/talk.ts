import { availableParallelism } from 'node:os'
import { type Mac, parseMac } from '../../cni/core/mac.ts'
import { until } from '../conformance/until.ts'
import type { Folders } from './folders.ts'
import type { Stage } from './stage.ts'
import { callOf, type Network, type System } from './system.ts'

/** Where the scheduler puts both ends changes the result by half. Those of a stream have one each, if there are two; */
const PROCESSORS = availableParallelism() > 1 ? '0,1' : '0'
/** those of requests share one: a processor that sleeps takes longer to wake up than a packet takes on its way. */
const TOGETHER = ['taskset', '--cpu-list', '0']
const [STREAM_PORT, REQUEST_PORT] = [8080, 8081]
/** So many requests show that there is somebody who answers. */
const FEW = 100

/** Two pods of one node, of which one calls the other. */
export interface Pair {
  /** Their network namespaces. */
  readonly client: string
  readonly server: string
  /** The server's. */
  readonly address: string
}

/** Wires two pods to a network that has the stage's place for it, and starts the servers in one of them. */
export async function connect(
  stage: Stage,
  folders: Folders,
  system: System,
  network: Network,
): Promise<Pair> {
  const pods = ['client', 'server'].map((role, i) => ({
    netns: `${role}${network.place}`,
    slot: 2 * network.place + i,
  }))
  const [client, server] = pods.map(({ netns }) => netns) as [string, string]
  stage.addNamespaces([client, server])
  for (const pod of pods) await stage.run([callOf(system, network, 'ADD', pod)])
  const pair = { client, server, address: addressOf(stage, server) }
  const serve = (...program: readonly string[]) => stage.start('ip', 'netns', 'exec', server, ...program)
  serve('iperf3', '--server', '--bind', pair.address, '--port', `${STREAM_PORT}`)
  serve(...TOGETHER, folders.pingpong, 'serve', pair.address, `${REQUEST_PORT}`)
  await until(`the servers of ${system.name}`, async () => requests(stage, folders, pair, FEW).length > 0)
  await until(`iperf3 of ${system.name}`, async () => stream(stage, pair) > 0)
  return pair
}

/** The IPv4 address of a pod. */
export const addressOf = (stage: Stage, pod: string): string =>
  /inet ([\d.]+)/.exec(stage.command('ip', '-n', pod, '-4', 'address', 'show', 'eth0'))![1]!

/** The MAC of a pod. */
export const macOf = (stage: Stage, pod: string): Mac =>
  parseMac(/link\/ether (\S+)/.exec(stage.command('ip', '-n', pod, 'link', 'show', 'eth0'))![1]!)!

/** Gbit/s from the client to the server, as many as the kernel can carry over one connection. */
export function stream(stage: Stage, { client, address }: Pair): number {
  const where = ['--client', address, '--port', `${STREAM_PORT}`]
  const how = ['--time', '1', '--affinity', PROCESSORS, '--json']
  const report = stage.command('ip', 'netns', 'exec', client, 'iperf3', ...where, ...how)
  return (
    (JSON.parse(report) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
      .bits_per_second / 1e9
  )
}

/** Microseconds of each request over one connection. */
export const requests = (stage: Stage, folders: Folders, pair: Pair, count: number): number[] =>
  ask(stage, folders, pair, 'ask', count)

/** Microseconds of each new connection. */
export const connections = (stage: Stage, folders: Folders, pair: Pair, count: number): number[] =>
  ask(stage, folders, pair, 'open', count)

function ask(
  stage: Stage,
  { pingpong }: Folders,
  { client, address }: Pair,
  what: string,
  count: number,
): number[] {
  const args = [...TOGETHER, pingpong, what, address, `${REQUEST_PORT}`, `${count}`]
  return stage
    .command('ip', 'netns', 'exec', client, ...args)
    .trim()
    .split('\n')
    .map(nanoseconds => Number(nanoseconds) / 1e3)
}
