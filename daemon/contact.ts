import { messageOf } from '../cni/spec/error.ts'
import type { Health } from './health.ts'

/** How the API server was last heard: well when nothing that is watched fails. */
export class Contact {
  readonly #health: Health
  readonly #now: () => number
  readonly #failing = new Set<string>()
  #heardAt: number | undefined

  constructor(health: Health, now: () => number) {
    this.#health = health
    this.#now = now
  }

  /** Seconds since the API server was last heard; undefined before it ever was. */
  get silence(): number | undefined {
    return this.#heardAt === undefined ? undefined : (this.#now() - this.#heardAt) / 1000
  }

  /** `path`: the collection that it has told about. */
  heard(path: string): void {
    this.#heardAt = this.#now()
    this.#failing.delete(path)
    if (this.#failing.size === 0) this.#health.succeeded('api')
  }

  failed(path: string, error: unknown, retryInMs: number): void {
    this.#failing.add(path)
    this.#health.failed('api', `${messageOf(error)}; trying again in ${Math.ceil(retryInMs / 1000)} s`)
  }
}
