import { formatIp, type Ip } from '../ipam/core/ip.ts'
import { Rounds } from './core/rounds.ts'
import { forgetConnections } from './edge/connections.ts'

/**
 * Addresses that pods of this node had. The kernel still knows their connections, and lets these pass: nobody else may
 * have such an address before they are forgotten.
 */
export class FormerAddresses {
  readonly #left = new Map<string, Ip>()
  readonly #rounds = new Rounds(() => this.#round())

  /** A pod with these addresses is gone, and sends nothing any more. Done when its connections are forgotten. */
  leave(addresses: readonly Ip[]): Promise<void> {
    // Another object each time: what is left again while a round is under way stays for the next.
    for (const ip of addresses) this.#left.set(formatIp(ip), { ...ip })
    return this.#rounds.run()
  }

  /** Done when nothing of these addresses' former pods is left. */
  async cleaned(addresses: readonly Ip[]): Promise<void> {
    if (addresses.some(ip => this.#left.has(formatIp(ip)))) await this.#rounds.run()
  }

  async #round(): Promise<void> {
    const left = [...this.#left]
    if (left.length === 0) return
    await forgetConnections(left.map(([, ip]) => ip))
    for (const [text, ip] of left) if (this.#left.get(text) === ip) this.#left.delete(text)
  }
}
