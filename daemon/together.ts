/** How things are done together. */
export interface TogetherOptions<T> {
  /** Does several at once, and answers with those that failed and why; when it throws, all have failed. */
  readonly work: (items: readonly T[]) => Promise<ReadonlyMap<T, unknown>>
  /** Done when what comes while a batch is under way has waited long enough for company. */
  readonly pause: () => Promise<void>
  /** So many batches may be under way at a time. */
  readonly atOnce: number
}

/** Does at once what comes alone, and together what comes while that is under way. */
export class Together<T> {
  readonly #options: TogetherOptions<T>
  #waiting: Waiting<T>[] = []
  #isCollecting = false
  #underWay = 0

  constructor(options: TogetherOptions<T>) {
    this.#options = options
  }

  /** Done when the item is; throws why it failed. Equal items may be there several times. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      void this.#collect()
    })
  }

  async #collect(): Promise<void> {
    if (this.#isCollecting || this.#waiting.length === 0 || this.#underWay >= this.#options.atOnce) return
    this.#isCollecting = true
    // One caller may add several, one after another.
    await (this.#underWay === 0 ? Promise.resolve() : this.#options.pause())
    this.#isCollecting = false
    void this.#batch(this.#waiting.splice(0))
    void this.#collect()
  }

  async #batch(batch: readonly Waiting<T>[]): Promise<void> {
    this.#underWay += 1
    try {
      const failures = await this.#options.work([...new Set(batch.map(({ item }) => item))])
      for (const { item, resolve, reject } of batch) {
        if (failures.has(item)) reject(failures.get(item))
        else resolve()
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#underWay -= 1
    void this.#collect()
  }
}

interface Waiting<T> {
  readonly item: T
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}
