/** After so many answers in a row that lead nowhere all is listed anew: perhaps it is one event that cannot be read. */
const PATIENCE = 3
const [GONE, BUSY, UNAVAILABLE] = [410, 429, 503]

/** How far a watch has come: where it goes on, or that it has lost the thread and must list anew. */
export class Thread {
  #version: string | undefined
  #failures = 0
  #deadEnds = 0

  /** The version to go on from; undefined when there is none. */
  get version(): string | undefined {
    return this.#version
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures
  }

  /** All was listed. That alone is no success: a server may list and refuse to be watched. */
  listed(version: string): void {
    this.#version = version
  }

  /** The watch has told something; a version that it leaves out stays what it was. */
  found(version: string | undefined): void {
    this.#version = version ?? this.#version
    this.#failures = 0
    this.#deadEnds = 0
  }

  /**
   * Something went wrong. `status` is the HTTP status of the answer, undefined when there was none. That nobody answers,
   * or is too busy, says nothing against the version, and is no time for thousands of daemons to list anew; whatever
   * else goes wrong may do so again each time from here.
   */
  lost(status: number | undefined): void {
    this.#failures += 1
    if (![undefined, BUSY, UNAVAILABLE].includes(status)) this.#deadEnds += 1
    if (status !== GONE && this.#deadEnds < PATIENCE) return
    this.#version = undefined
    this.#deadEnds = 0
  }
}
