/** Lets those wait who need something that is yet to come, and wakes them when something of its kind has come. */
export class Arrivals {
  readonly #waiting = new Map<string, Set<() => void>>()

  /** Something has come: those who wait for it look again. */
  come(key: string): void {
    for (const wake of this.#waiting.get(key) ?? []) wake()
  }

  /** Waits until it is there, at most so many milliseconds; answers whether it is. */
  async until(key: string, isThere: () => boolean, patienceMs: number): Promise<boolean> {
    if (isThere()) return true
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const look = (): void => {
      if (isThere()) resolve(true)
    }
    const timer = setTimeout(() => resolve(isThere()), patienceMs)
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting.add(look))
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      waiting.delete(look)
      if (waiting.size === 0) this.#waiting.delete(key)
    }
  }
}
