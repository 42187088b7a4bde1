import type { Touched } from './cluster.ts'

/** What is to be reconciled next: everything, or what some nodes' changes have touched. */
export type Work = { readonly kind: 'full' } | ({ readonly kind: 'change' } & Touched)

/** Collects what is to be done until somebody does it: many changes become one piece of work. */
export class Agenda {
  #full = false
  #podCidrs = new Set<string>()
  #addresses = new Set<string>()

  get isEmpty(): boolean {
    return !this.#full && this.#podCidrs.size === 0 && this.#addresses.size === 0
  }

  /** Asks for a look at everything. */
  everything(): void {
    this.#full = true
  }

  /** Asks for what a change has touched. */
  touched({ podCidrs, addresses }: Touched): void {
    for (const podCidr of podCidrs) this.#podCidrs.add(podCidr)
    for (const address of addresses) this.#addresses.add(address)
  }

  /** Hands over all that was asked for, and starts anew; everything includes every change. */
  take(): Work {
    const work: Work = this.#full
      ? { kind: 'full' }
      : { kind: 'change', podCidrs: this.#podCidrs, addresses: this.#addresses }
    this.#full = false
    this.#podCidrs = new Set()
    this.#addresses = new Set()
    return work
  }
}
