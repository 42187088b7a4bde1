/** Does at once what comes alone, and together what comes while that is under way. */
export class Together<T> {
  readonly #work: (items: readonly T[]) => Promise<ReadonlyMap<T, unknown>>
  #waiting: Waiting<T>[] = []
  #isAtWork = false

  /** `work` does several at once, and answers with those that failed and why; when it throws, all have failed. */
  constructor(work: (items: readonly T[]) => Promise<ReadonlyMap<T, unknown>>) {
    this.#work = work
  }

  /** Done when the item is; throws why it failed. Equal items may be there several times. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (!this.#isAtWork) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isAtWork = true
    while (this.#waiting.length > 0) {
      // One caller may add several, one after another.
      await Promise.resolve()
      await this.#batch(this.#waiting.splice(0))
    }
    this.#isAtWork = false
  }

  async #batch(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const failures = await this.#work([...new Set(batch.map(({ item }) => item))])
      for (const { item, resolve, reject } of batch) {
        if (failures.has(item)) reject(failures.get(item))
        else resolve()
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}
