/** What is kept of the values of one measurement. */
export interface Quantiles {
  readonly count: number
  readonly min: number
  readonly p5: number
  readonly p25: number
  readonly median: number
  readonly p75: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** The least value that so great a share of the values does not exceed: 0.5 gives the median. NaN without values. */
export const percentile = (values: readonly number[], share: number): number =>
  rank(
    values.toSorted((a, b) => a - b),
    share,
  )

const rank = (sorted: readonly number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN

/** The middle value. */
export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** All of them; the values are sorted once. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => rank(sorted, share)
  return {
    count: sorted.length,
    min: at(0),
    p5: at(0.05),
    p25: at(0.25),
    median: at(0.5),
    p75: at(0.75),
    p95: at(0.95),
    p99: at(0.99),
    max: at(1),
  }
}

/** Median and 95th percentile, as text. */
export const format = (values: readonly number[]): string =>
  `${median(values).toFixed(1)} / ${percentile(values, 0.95).toFixed(1)}`

/** A number for people: three digits, or all before the point. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 0.001))))
  return value.toFixed(Math.min(3, digits))
}
