import { collectGarbage, heapUsed } from './edge/memory.ts'

/** So many bytes of garbage are worth the trouble: a look at thousands of nodes leaves as much, one at few does not. */
const WORTHWHILE = 16 * 1024 * 1024

/**
 * Keeps the daemon small. V8 collects garbage when more memory is needed; a daemon that has taken in a large cluster
 * needs no more for hours, and would keep twice of what it uses.
 */
export class Memory {
  readonly #heap: Heap
  #after = 0

  constructor(heap: Heap = { heapUsed, collectGarbage }) {
    this.#heap = heap
  }

  /** Collects what has become garbage, if it may be much. Call it when nothing urgent waits. */
  tidy(): void {
    if (this.#heap.heapUsed() - this.#after < WORTHWHILE) return
    this.#heap.collectGarbage()
    this.#after = this.#heap.heapUsed()
  }
}

interface Heap {
  heapUsed(): number
  collectGarbage(): void
}
