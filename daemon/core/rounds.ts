/**
 * Runs a job in rounds, one at a time. Whoever asks while a round is under way shares the next with all others who do:
 * a round that began before somebody asked may not have seen what he asks about.
 */
export class Rounds {
  readonly #job: () => Promise<void>
  #current: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(job: () => Promise<void>) {
    this.#job = job
  }

  /** Done when a round is over that has begun since; throws what that round has thrown. */
  run(): Promise<void> {
    // It comes first: between two rounds there is none under way, and a next one.
    if (this.#next !== undefined) return this.#next
    if (this.#current === undefined) return this.#begin()
    const begin = (): Promise<void> => {
      this.#next = undefined
      return this.#begin()
    }
    return (this.#next = this.#current.then(begin, begin))
  }

  #begin(): Promise<void> {
    const round = this.#job().finally(() => {
      if (this.#current === round) this.#current = undefined
    })
    this.#current = round
    return round
  }
}
