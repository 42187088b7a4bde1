import {
  type Condition,
  failing,
  liveness,
  type PartName,
  PARTS,
  readiness,
  type Report,
  seconds,
  UNTRIED,
} from './core/health.ts'
import type { Log } from './core/log.ts'

/** Keeps how the daemon's parts are, answers the probes, and says each turn for the better or the worse once. */
export class Health {
  readonly #log: Log
  readonly #now: () => number
  readonly #resyncMs: number
  readonly #conditions = Object.fromEntries(PARTS.map(part => [part, UNTRIED])) as Record<PartName, Condition>
  #lastRound: number

  /** `resyncMs`: a round is due that long after the last, at the latest. `now`: milliseconds that only go forward. */
  constructor(log: Log, now: () => number, resyncMs: number) {
    this.#log = log
    this.#now = now
    this.#resyncMs = resyncMs
    this.#lastRound = now()
  }

  /** A part cannot do its work before something comes that nobody here can hurry. */
  waiting(part: PartName, reason: string): void {
    const before = this.#conditions[part]
    this.#conditions[part] = { kind: 'waiting', reason }
    if (before.kind === 'waiting' && before.reason === reason) return
    this.#log.info({ part }, `${part}: waiting: ${reason}`)
  }

  succeeded(part: PartName): void {
    const before = this.#conditions[part]
    this.#conditions[part] = { kind: 'ok' }
    if (before.kind === 'ok') return
    const after = before.kind === 'failing' ? ` again after ${seconds(this.#now() - before.since)}` : ''
    this.#log.info({ part }, `${part}: in order${after}`)
  }

  /** A part failed; the log has the reason once, and every retry's only at level debug. */
  failed(part: PartName, reason: string): void {
    const before = this.#conditions[part]
    this.#conditions[part] = failing(before, reason, this.#now())
    const level = before.kind === 'failing' ? 'debug' : 'error'
    this.#log[level]({ part }, `${part}: ${reason}`)
  }

  /** The reconcile loop has ended a round, well or not. */
  finished(): void {
    this.#lastRound = this.#now()
  }

  /** For `/readyz`; `details` says more of parts that are in order. */
  readiness(details: Readonly<Partial<Record<PartName, string>>>): Report {
    return readiness(this.#conditions, details, this.#now())
  }

  /** For `/healthz`. */
  liveness(): Report {
    return liveness(this.#now() - this.#lastRound, this.#resyncMs)
  }
}
