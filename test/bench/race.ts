import type { Job } from './batch.ts'
import { type Figure, figure, type Part } from './figure.ts'
import { type Verb, VERBS } from './names.ts'
import { shuffle } from './shuffle.ts'
import type { Stage } from './stage.ts'

/** What one system does on a node in each round. */
export interface Turn {
  readonly stage: Stage
  readonly system: string
  readonly calls: readonly Timed[]
}

/** A call, and how many milliseconds it took each time. */
export interface Timed {
  readonly name: string
  readonly job: Job
  readonly times: number[]
}

/** Rounds on one node before the next one has its turn. */
const ROUNDS_A_VISIT = 5

/** An ADD and a DEL. */
export const turnOf = (
  stage: Stage,
  system: string,
  nameOf: (verb: Verb) => string,
  jobOf: (verb: Verb) => Job,
): Turn => ({
  stage,
  system,
  calls: VERBS.map(verb => ({ name: nameOf(verb), job: jobOf(verb), times: [] })),
})

/**
 * Has all of them take their turns so often, in an order that changes from round to round: what else the machine does
 * hits all of them alike.
 */
export async function race(turns: readonly Turn[], rounds: number): Promise<void> {
  const nodes = [...Map.groupBy(turns, ({ stage }) => stage)]
  // Programs are read from the disk; this does not count.
  for (const [stage, own] of nodes) await visit(stage, own, 1, 1)
  // Nor does the first round on a node when another was at work: its memory is in no cache any more.
  const skipped = nodes.length > 1 ? 1 : 0
  for (let left = rounds; left > 0; left -= ROUNDS_A_VISIT)
    for (const [stage, own] of shuffle(nodes))
      await visit(stage, own, Math.min(ROUNDS_A_VISIT, left) + skipped, skipped)
}

/** Some rounds on one node; the first of them may not count. */
async function visit(stage: Stage, turns: readonly Turn[], rounds: number, skipped: number): Promise<void> {
  const calls = Array.from({ length: rounds }, (_, round) =>
    shuffle(turns).flatMap(turn => turn.calls.map(call => ({ ...call, counts: round >= skipped }))),
  ).flat()
  const { costs } = await stage.run(calls.map(({ job }) => job))
  for (const [i, { times, counts }] of calls.entries()) if (counts) times.push(costs[i]!.ms)
}

export const figuresOf = (part: Part, turns: readonly Turn[]): Figure[] =>
  turns.flatMap(({ system, calls }) =>
    calls.map(({ name, times }) => figure(part, name, system, 'ms', times)),
  )
