import { type Figure, figure, type Unit } from './figure.ts'
import type { Folders } from './folders.ts'
import { besidePtp, REQUEST, STREAM } from './names.ts'
import { median } from './numbers.ts'
import { shuffle } from './shuffle.ts'
import { Stage } from './stage.ts'
import { bridge, type Network, podwire, ptp, type System } from './system.ts'
import { connect, type Pair, requests, stream } from './talk.ts'

/*
 * Two pods of one node talk: how much they can send, and how long a request takes. A system's round is compared with
 * the round of ptp that is nearest in time, because what a shared machine can carry changes from second to second.
 */

/** So many rounds of the whole benchmark make one here. */
const SHARE = 5
const REQUESTS = 20_000

/** What two pods that one system has wired can do. */
interface Subject {
  readonly name: string
  readonly pair: Pair
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
  const subjects: Subject[] = []
  for (const [name, system, mode] of networks) {
    const place = subjects.length + 1
    const network: Network = { name: `net${place}`, place, wish: 'plain', ...(mode && { mode }) }
    const pair = await connect(stage, folders, system, network)
    subjects.push({ name, pair, streams: [], requests: [] })
  }
  for (let round = 0; round < Math.ceil(rounds / SHARE); round++)
    for (const subject of shuffle(subjects)) talk(stage, folders, subject)
  await stage.close()
  return figuresOf(subjects)
}

function talk(stage: Stage, folders: Folders, subject: Subject): void {
  subject.streams.push(stream(stage, subject.pair))
  subject.requests.push(median(requests(stage, folders, subject.pair, REQUESTS)))
}

function figuresOf(subjects: readonly Subject[]): Figure[] {
  const base = subjects.find(({ name }) => name === 'ptp')!
  return subjects.flatMap(({ name, streams, requests }) => {
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
