/** The value below which a share of the values lies: 0.5 is the median. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** The middle value. */
export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** Median and 95th percentile, as text. */
export const format = (values: readonly number[]): string =>
  `${median(values).toFixed(1)} / ${percentile(values, 0.95).toFixed(1)}`
