import { availableParallelism } from 'node:os'
import { until } from '../conformance/until.ts'
import { type Figure, figure, type Unit } from './figure.ts'
import type { Folders } from './folders.ts'
import { besidePtp, REQUEST, STREAM } from './names.ts'
import { median } from './numbers.ts'
import { shuffle } from './shuffle.ts'
import { Stage } from './stage.ts'
import { bridge, callOf, type Network, podwire, ptp, type System } from './system.ts'

/*
 * Two pods of one node talk: how much they can send, and how long a request takes. A system's round is compared with
 * the round of ptp that is nearest in time, because what a shared machine can carry changes from second to second.
 */

/** So many rounds of the whole benchmark make one here. */
const SHARE = 5
/** Each end on one of its own, as far as there are two: where the scheduler puts them changes the result by half. */
const PROCESSORS = availableParallelism() > 1 ? '0,1' : '0'
const REQUESTS = 20_000
const [STREAM_PORT, REQUEST_PORT] = [5201, 5202]

/** Two pods that one system has wired. */
interface Pair {
  readonly name: string
  readonly client: string
  readonly server: string
  readonly address: string
  readonly streams: number[]
  /** Medians of the rounds. */
  readonly requests: number[]
}

export async function traffic(folders: Folders, rounds: number): Promise<Figure[]> {
  const stage = await Stage.start(folders)
  await stage.serve()
  const [fast, reference] = [podwire('podwire', folders.launcher), folders.reference]
  const networks: [string, System, Network['mode']][] = [
    ['podwire l2', fast, 'l2'],
    ['podwire l3', fast, 'l3'],
    ['bridge', bridge(reference), undefined],
    ['ptp', ptp(reference), undefined],
  ]
  const pairs: Pair[] = []
  for (const [name, system, mode] of networks) {
    const place = pairs.length + 1
    const network: Network = { name: `net${place}`, place, wish: 'plain', ...(mode && { mode }) }
    pairs.push(await connect(stage, folders, name, system, network))
  }
  for (let round = 0; round < Math.ceil(rounds / SHARE); round++)
    for (const pair of shuffle(pairs)) talk(stage, folders, pair)
  await stage.close()
  return figuresOf(pairs)
}

async function connect(
  stage: Stage,
  folders: Folders,
  name: string,
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
  const address = /inet ([\d.]+)/.exec(
    stage.command('ip', '-n', server, '-4', 'address', 'show', 'eth0'),
  )![1]!
  stage.start(
    'ip',
    'netns',
    'exec',
    server,
    'iperf3',
    '--server',
    '--bind',
    address,
    '--port',
    `${STREAM_PORT}`,
  )
  stage.start('ip', 'netns', 'exec', server, folders.pingpong, 'serve', address, `${REQUEST_PORT}`)
  const pair = { name, client, server, address, streams: [], requests: [] }
  await until(`the servers of ${name}`, async () => ask(stage, folders, pair, 100).length > 0)
  await until(`iperf3 of ${name}`, async () => stream(stage, pair) > 0)
  return pair
}

function talk(stage: Stage, folders: Folders, pair: Pair): void {
  pair.streams.push(stream(stage, pair))
  pair.requests.push(median(ask(stage, folders, pair, REQUESTS)))
}

/** Gbit/s from one pod to the other, as many as the kernel can carry over one connection. */
function stream(stage: Stage, { client, address }: Pair): number {
  const args = [
    '--client',
    address,
    '--port',
    `${STREAM_PORT}`,
    '--time',
    '1',
    '--affinity',
    PROCESSORS,
    '--json',
  ]
  const report = stage.command('ip', 'netns', 'exec', client, 'iperf3', ...args)
  return (
    (JSON.parse(report) as { end: { sum_received: { bits_per_second: number } } }).end.sum_received
      .bits_per_second / 1e9
  )
}

/** Microseconds of each request. */
function ask(stage: Stage, { pingpong }: Folders, { client, address }: Pair, count: number): number[] {
  const args = [pingpong, 'ask', address, `${REQUEST_PORT}`, `${count}`]
  return stage
    .command('ip', 'netns', 'exec', client, ...args)
    .trim()
    .split('\n')
    .map(nanoseconds => Number(nanoseconds) / 1e3)
}

function figuresOf(pairs: readonly Pair[]): Figure[] {
  const base = pairs.find(({ name }) => name === 'ptp')!
  return pairs.flatMap(({ name, streams, requests }) => {
    const both = (
      what: string,
      unit: Unit,
      values: readonly number[],
      others: readonly number[],
    ): Figure[] => [
      figure('traffic', what, name, unit, values),
      figure(
        'traffic',
        besidePtp(what),
        name,
        'times',
        values.map((value, i) => value / others[i]!),
      ),
    ]
    return [...both(STREAM, 'Gbit/s', streams, base.streams), ...both(REQUEST, 'µs', requests, base.requests)]
  })
}
