import { type Quantiles, quantiles } from './numbers.ts'

/** The parts of the benchmark, in the order in which they run, and those of the one for policies. */
export const PARTS = ['latency', 'throughput', 'traffic', 'growth'] as const
export const POLICY_PARTS = ['load', 'change', 'traffic', 'daemon'] as const
export type Part = (typeof PARTS)[number] | (typeof POLICY_PARTS)[number]

export type Unit = 'ms' | 'MB' | 'Gbit/s' | 'µs' | 'times' | 'count'

/** One thing that was measured of one system. */
export interface Figure {
  readonly part: Part
  readonly name: string
  readonly system: string
  readonly unit: Unit
  readonly values: Quantiles
}

/** Makes a figure of what was measured, however often that was. */
export const figure = (
  part: Part,
  name: string,
  system: string,
  unit: Unit,
  values: readonly number[],
): Figure => ({ part, name, system, unit, values: quantiles(values) })
