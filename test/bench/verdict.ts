import type { Figure, Part } from './figure.ts'
import {
  ATTACHMENTS,
  besidePtp,
  CONCURRENCIES,
  cpuOf,
  FIRST_ADDS,
  REQUEST,
  RESERVATIONS,
  STREAM,
  timeOf,
  type Verb,
  VERBS,
  withMany,
} from './names.ts'
import type { Quantiles } from './numbers.ts'

/** Whether a target was met. */
export interface Verdict {
  readonly target: string
  readonly measured: number
  readonly bound: 'at most' | 'at least'
  readonly limit: number
  readonly met: boolean
}

/** Looks up what was measured; undefined when it was not. */
export type Find = (part: Part, name: string, system: string) => Quantiles | undefined

export interface Target {
  readonly name: string
  readonly bound: Verdict['bound']
  readonly limit: number
  /** Not a number when something was not measured. */
  readonly measure: (find: Find) => number
}

export const atMost = (limit: number, name: string, measure: Target['measure']): Target => ({
  name,
  bound: 'at most',
  limit,
  measure,
})

export const atLeast = (limit: number, name: string, measure: Target['measure']): Target => ({
  name,
  bound: 'at least',
  limit,
  measure,
})

const ratio = (value: number | undefined, base: number | undefined): number =>
  value === undefined || base === undefined ? Number.NaN : value / base

/** Podwire as a multiple of bridge + host-local. */
const besideBridge = (part: Part, name: string, key: keyof Quantiles) => (find: Find) =>
  ratio(find(part, name, 'podwire')?.[key], find(part, name, 'bridge')?.[key])

/** The most of something as a multiple of the least of it, both with Podwire. */
const flat =
  (verb: Verb, what: 'attachments' | 'reservations', counts: readonly number[]) => (find: Find) => {
    const [least, most] = [counts[0]!, counts.at(-1)!].map(
      count => find('growth', withMany(verb, count, what), 'podwire')?.median,
    )
    return ratio(most, least)
  }

const worst = (ratios: readonly number[]): number => Math.max(...ratios)

const BESIDE = 'as a multiple of bridge + host-local'
const MODES = ['podwire l2', 'podwire l3'] as const

/** All of them are ratios within one run, so that they mean the same on every machine. */
export const TARGETS: readonly Target[] = [
  atMost(0.4, `ADD median, ${BESIDE}`, besideBridge('latency', 'ADD', 'median')),
  atMost(0.6, `ADD 99th percentile, ${BESIDE}`, besideBridge('latency', 'ADD', 'p99')),
  atMost(2, 'slowest of the first 20 ADDs, as a multiple of the median', find =>
    ratio(find('latency', FIRST_ADDS, 'podwire')?.max, find('latency', 'ADD', 'podwire')?.median),
  ),
  atMost(0.1, `100 DELs, 50 at a time, ${BESIDE}`, besideBridge('throughput', timeOf('DEL', 50), 'median')),
  atMost(0.4, `CPU a pod, at the worst concurrency, ${BESIDE}`, find =>
    worst(CONCURRENCIES.map(each => besideBridge('throughput', cpuOf(each), 'median')(find))),
  ),
  ...VERBS.map(verb =>
    atMost(
      1.3,
      `${verb} with 1,000 attachments, as a multiple of 10`,
      flat(verb, 'attachments', ATTACHMENTS),
    ),
  ),
  ...VERBS.map(verb =>
    atMost(
      1.3,
      `${verb} with 60,000 reservations, as a multiple of 10`,
      flat(verb, 'reservations', RESERVATIONS),
    ),
  ),
  ...MODES.flatMap((mode): Target[] => [
    atLeast(0.97, `${STREAM} with ${mode}, as a multiple of ptp`, find =>
      ratio(find('traffic', besidePtp(STREAM), mode)?.median, 1),
    ),
    atMost(1.03, `${REQUEST} with ${mode}, as a multiple of ptp`, find =>
      ratio(find('traffic', besidePtp(REQUEST), mode)?.median, 1),
    ),
  ]),
]

/** A verdict on each target of which everything was measured. */
export function judge(figures: readonly Figure[], targets = TARGETS): Verdict[] {
  const find: Find = (part, name, system) =>
    figures.find(each => each.part === part && each.name === name && each.system === system)?.values
  return targets.flatMap(({ name, bound, limit, measure }) => {
    const measured = measure(find)
    const met = bound === 'at most' ? measured <= limit : measured >= limit
    return Number.isNaN(measured) ? [] : [{ target: name, measured, bound, limit, met }]
  })
}
