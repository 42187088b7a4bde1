import { messageOf } from '../cni/spec/error.ts'
import type { Health } from './health.ts'

/** How the API server was last heard. */
export class Contact {
  readonly #health: Health
  readonly #now: () => number
  #heardAt: number | undefined

  constructor(health: Health, now: () => number) {
    this.#health = health
    this.#now = now
  }

  /** Seconds since the API server was last heard; undefined before it ever was. */
  get silence(): number | undefined {
    return this.#heardAt === undefined ? undefined : (this.#now() - this.#heardAt) / 1000
  }

  heard(): void {
    this.#heardAt = this.#now()
    this.#health.succeeded('api')
  }

  failed(error: unknown, retryInMs: number): void {
    this.#health.failed('api', `${messageOf(error)}; trying again in ${Math.ceil(retryInMs / 1000)} s`)
  }
}
