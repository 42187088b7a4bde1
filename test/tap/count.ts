import { Parser } from 'tap-parser'

/** How many tests did what; `failed` counts as well what broke around the tests: a crash, a timeout, a missing plan. */
export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

interface Point {
  readonly ok: boolean
  readonly skip: string | boolean
  readonly todo: string | boolean
}

/** What tap-parser makes of a text: `['child', events]` comes before the `['assert', point]` that closes it. */
type Event = readonly [name: string, payload: unknown]

const NONE: Counts = { passed: 0, failed: 0, skipped: 0 }

const add = (a: Counts, b: Counts): Counts => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
})

/** The counts of several runs, each the whole TAP text of one. */
export const countAll = (texts: readonly string[]): Counts => texts.map(countRun).reduce(add, NONE)

/** The closing line. */
export const formatCounts = (c: Counts): string =>
  `${c.passed} passed, ${c.failed} failed, ${c.skipped} skipped`

/** A run is its files; one that did not end well although each of them did has failed itself. */
function countRun(text: string): Counts {
  const events = Parser.parse(text) as unknown as readonly Event[]
  const ended = events.find(([name]) => name === 'complete')?.[1] as { ok: boolean } | undefined
  return blame(countEvents(events).inside, ended?.ok === true)
}

/**
 * Counts what is inside of a file or test, and how many bare assertions it makes itself. A test with no tests in it
 * is one test, however many assertions it makes; a skip is one skipped test wherever it stands.
 */
function countEvents(events: readonly Event[]): { inside: Counts; nested: boolean; bare: number } {
  let inside = NONE
  let bare = 0
  let child: readonly Event[] | undefined
  for (const [name, payload] of events) {
    if (name === 'child') child = payload as readonly Event[]
    if (name !== 'assert') continue
    const point = payload as Point
    if (point.skip !== false || point.todo !== false) inside = add(inside, { ...NONE, skipped: 1 })
    else if (child === undefined) bare += 1
    else inside = add(inside, countTest(child, point.ok))
    child = undefined
  }
  return { inside, nested: events.some(([name]) => name === 'child'), bare }
}

function countTest(events: readonly Event[], ok: boolean): Counts {
  const { inside, nested, bare } = countEvents(events)
  if (nested || (bare === 0 && inside.skipped > 0)) return blame(inside, ok)
  return add(inside, ok ? { ...NONE, passed: 1 } : { ...NONE, failed: 1 })
}

/** Adds a failure to counts that have none, when the whole is known to have failed. */
const blame = (counts: Counts, ok: boolean): Counts =>
  ok || counts.failed > 0 ? counts : add(counts, { ...NONE, failed: 1 })
