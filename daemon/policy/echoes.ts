import type { Connection } from '../../cni/core/netlink/conntrack.ts'
import { messageOf } from '../../cni/spec/error.ts'
import type { Log } from '../core/log.ts'
import { answersOf } from '../core/policy/echo.ts'
import { forgetEchoes } from '../edge/connections.ts'

/** When to look after a cut, in milliseconds, each time after the last: an answer may have been on its way for a while. */
const PAUSES = [20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000]

/**
 * Answers that were on their way when their connection was cut. Where a protocol has no beginnings, as UDP, the kernel
 * takes one for the first packet of another connection, which policies may well allow; and what was cut would go on as
 * its replies. So for a while such connections are forgotten as well.
 */
export class Echoes {
  readonly #log: Log
  /** What was cut, by the way of its answers. */
  #cut = new Map<string, Connection>()
  #step = 0
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.#log = log
  }

  /** This connection was cut. */
  add(connection: Connection): void {
    this.#cut.set(answersOf(connection), connection)
    this.#wait(0)
  }

  #wait(step: number): void {
    clearTimeout(this.#timer)
    this.#step = step
    const pause = PAUSES[step]
    if (pause === undefined) this.#cut = new Map()
    else this.#timer = setTimeout(() => void this.#look(), pause).unref()
  }

  async #look(): Promise<void> {
    const before = this.#step
    try {
      const forgotten = await forgetEchoes([...this.#cut.values()])
      // One more may have been on its way meanwhile; and somebody may have been cut, who starts it anew.
      this.#wait(forgotten > 0 || this.#step < before ? 0 : before + 1)
    } catch (error) {
      this.#log.warn({}, `Cannot forget answers to connections that were cut: ${messageOf(error)}`)
      this.#wait(before + 1)
    }
  }
}
