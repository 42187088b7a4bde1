/*
 * The sweep in a process of its own, so that it can run in the namespace of a lab's host. Its arguments are the
 * plugin's config and the grace period; each line of its input is a time, at which it sweeps and prints what came of it.
 */
import { createInterface } from 'node:readline'
import { messageOf } from '../../cni/spec/error.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import type { Log } from '../../daemon/core/log.ts'
import { pluginWorld } from '../../daemon/edge/world.ts'
import { Sweep, type SweepReport } from '../../daemon/sweep.ts'

/** What one line of input is answered with. */
export interface Swept {
  readonly report?: SweepReport
  readonly error?: string
  /** What it told people. */
  readonly log: readonly string[]
  /** Milliseconds that it took, and the longest that nothing else could run meanwhile. */
  readonly took: number
  readonly longest: number
}

const [config = '', grace = ''] = process.argv.slice(2)
let time = 0
let log: string[] = []
const say = (_: object, message: string): void => void log.push(message)
const logger: Log = { debug: () => {}, info: say, warn: say, error: say }
const sweep = new Sweep({
  config: JSON.parse(config) as JsonObject,
  world: pluginWorld(logger),
  log: logger,
  now: () => time,
  grace: Number(grace),
})

/** How long a turn of the event loop took at most, until stopped. */
function watchTurns(): () => number {
  let [longest, last] = [0, performance.now()]
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  return () => {
    clearInterval(timer)
    return Math.max(longest, performance.now() - last)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  time = Number(line)
  log = []
  const longest = watchTurns()
  const started = performance.now()
  const outcome = await sweep.run().then(
    report => ({ report }),
    (error: unknown) => ({ error: messageOf(error) }),
  )
  const swept: Swept = { ...outcome, log, took: performance.now() - started, longest: longest() }
  process.stdout.write(`${JSON.stringify(swept)}\n`)
}
