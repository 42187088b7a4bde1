/** Runs jobs of one key one after another, in the order in which they came, and those of others at the same time. */
export class Queues {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Runs a job when all earlier ones of its key are over, however they ended. */
  run<T>(key: string, job: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const mine = before === undefined ? job() : before.then(job, job)
    this.#last.set(key, mine)
    const forget = (): void => {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
    mine.then(forget, forget)
    return mine
  }
}
