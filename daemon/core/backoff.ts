const FIRST_MS = 1_000
const LONGEST_MS = 30_000
const LONGEST_ASKED_MS = 120_000

/** How long to wait after so many failures in a row: a second, then twice as long each time, at most half a minute. */
export const retryMs = (failures: number): number =>
  Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(Math.max(failures, 1) - 1, 10))

/**
 * The same with up to half of it taken away, by a random number from 0 to 1: thousands of daemons that lost one API
 * server at one moment do not come back at one moment.
 */
export const spreadRetryMs = (failures: number, random: number): number =>
  retryMs(failures) * (1 - random / 2)

/** A server may ask to be left alone; not for ever, and not for less than is decent. All in milliseconds. */
export const heedMs = (waitMs: number, askedMs: number | undefined): number =>
  Math.max(waitMs, Math.min(askedMs ?? 0, LONGEST_ASKED_MS))
