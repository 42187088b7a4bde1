import { messageOf } from '../cni/spec/error.ts'
import { Agenda, type Work } from './core/agenda.ts'
import type { Touched } from './core/cluster.ts'
import type { PartName } from './core/health.ts'

/** One thing that the daemon keeps as it should be. */
export interface Part {
  readonly name: PartName
  /** Parts before it that must be as they should be; else this one is left as it is. */
  readonly needs: readonly PartName[]
  /** Looks at all of it and puts right what differs. Throws a sentence for people when that fails. */
  reconcile(): void | Promise<void>
  /** Puts right what a change of some nodes has touched, and does not look at the rest. */
  update?(touched: Touched): void | Promise<void>
}

/** Thrown by a part that cannot do its work before something comes that nobody here can hurry. */
export class Waiting extends Error {}

/** Who is told how it went. */
export interface Watcher {
  succeeded(part: PartName): void
  failed(part: PartName, problem: string): void
  waiting(part: PartName, reason: string): void
  /** One round is over. */
  finished(kind: Work['kind'], milliseconds: number): void
}

/** What the loop runs by. */
export interface LoopOptions {
  /** In the order in which they are put right. */
  readonly parts: readonly Part[]
  readonly watcher: Watcher
  /** Milliseconds from one look at everything to the next. */
  readonly resyncMs: number
  /** Milliseconds to wait after so many failures in a row. */
  readonly retryMs: (failures: number) => number
  readonly now: () => number
}

/**
 * The reconcile loop. It is level-triggered: a round goes by how things are, not by what happened; what is asked for
 * while a round is at work waits for the next, all together. After a failure everything is tried again, after a while.
 */
export class Loop {
  readonly #options: LoopOptions
  readonly #agenda = new Agenda()
  #wake: () => void = () => {}
  #failures = 0
  /** Parts that are not as they should be, as far as the last look at everything and the changes since can tell. */
  readonly #wanting = new Set<PartName>()
  /** When everything is looked at again, unless somebody asks earlier. */
  #due: number

  constructor(options: LoopOptions) {
    this.#options = options
    this.#due = options.now()
  }

  /** Asks for a look at everything. */
  everything(): void {
    this.#agenda.everything()
    this.#wake()
  }

  /** Asks for what a change has touched. */
  touched(touched: Touched): void {
    this.#agenda.touched(touched)
    if (!this.#agenda.isEmpty) this.#wake()
  }

  /** Runs until the signal; a round that is at work then is the last. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      await this.#sleep()
      if (!signal.aborted) await this.#round(this.#agenda.take())
    }
  }

  /** Waits for something to do, at most until everything is due. */
  async #sleep(): Promise<void> {
    const patience = Math.max(0, this.#due - this.#options.now())
    if (this.#agenda.isEmpty && patience > 0) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, patience)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    if (this.#options.now() >= this.#due) this.#agenda.everything()
  }

  async #round(work: Work): Promise<void> {
    const { parts, watcher, now } = this.#options
    const started = now()
    if (work.kind === 'full') this.#wanting.clear()
    const before = this.#wanting.size
    for (const part of parts) {
      const isHeldUp = part.needs.some(name => this.#wanting.has(name))
      if (isHeldUp || !(await this.#attempt(part, work))) this.#wanting.add(part.name)
    }
    if (work.kind === 'full') this.#plan(this.#wanting.size > 0)
    else if (this.#wanting.size > before) this.#plan(true)
    watcher.finished(work.kind, now() - started)
  }

  /** Decides when everything is looked at again. */
  #plan(hasFailed: boolean): void {
    const { now, resyncMs, retryMs } = this.#options
    this.#failures = hasFailed ? this.#failures + 1 : 0
    this.#due = now() + (hasFailed ? retryMs(this.#failures) : resyncMs)
  }

  /** Only a look at everything can tell that a part is well: a change sees nothing but itself. */
  async #attempt(part: Part, work: Work): Promise<boolean> {
    const { watcher } = this.#options
    try {
      if (work.kind === 'change') await part.update?.(work)
      else {
        await part.reconcile()
        watcher.succeeded(part.name)
      }
      return true
    } catch (error) {
      watcher[error instanceof Waiting ? 'waiting' : 'failed'](part.name, messageOf(error))
      return false
    }
  }
}
