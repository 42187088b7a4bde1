import { forgetConnections, removeChosen } from '../../cni/edge/connections.ts'
import { type Cidr, contains, formatIp, type Ip } from '../../ipam/core/ip.ts'
import { Rounds } from '../core/rounds.ts'

/**
 * Addresses of pods that are gone. The kernel still knows their connections, and lets these pass: nobody else may have
 * such an address before they are forgotten.
 */
export class FormerAddresses {
  readonly #left = new Map<string, Ip>()
  readonly #rounds = new Rounds(() => this.#round())

  /** Forgets the connections of a pod that sends nothing any more; those of others that go meanwhile with them. */
  async forget(addresses: readonly Ip[]): Promise<void> {
    if (addresses.length === 0) return
    for (const ip of addresses) this.#left.set(formatIp(ip), ip)
    await this.#rounds.run()
  }

  /** Forgets the connections of all addresses in these networks that nobody has. */
  async forgetUnowned(networks: readonly Cidr[], isOwned: (address: string) => boolean): Promise<void> {
    const isFormer = (ip: Ip): boolean =>
      networks.some(network => contains(network, ip)) && !isOwned(formatIp(ip))
    await removeChosen(({ original, reply }) => isFormer(original.source) || isFormer(reply.source))
  }

  async #round(): Promise<void> {
    const left = [...this.#left]
    await forgetConnections(left.map(([, ip]) => ip))
    for (const [text] of left) this.#left.delete(text)
  }
}
