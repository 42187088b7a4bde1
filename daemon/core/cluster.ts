import { type Cidr, formatCidr, formatIp } from '../../ipam/core/ip.ts'
import type { ClusterNode, NodeName } from './node.ts'

/** What a change of nodes may have changed for others: networks and addresses, as text. */
export interface Touched {
  readonly podCidrs: ReadonlySet<string>
  readonly addresses: ReadonlySet<string>
}

/**
 * The nodes of the cluster as last heard, and who claims which network. It answers for one network or one address at
 * the cost of that one, however many nodes there are.
 */
export class Cluster {
  readonly #nodes = new Map<NodeName, ClusterNode>()
  readonly #claims = new Map<string, Map<NodeName, Cidr>>()
  readonly #holders = new Map<string, Set<NodeName>>()

  get size(): number {
    return this.#nodes.size
  }

  node(name: NodeName): ClusterNode | undefined {
    return this.#nodes.get(name)
  }

  /** All networks that any node claims, as text. */
  podCidrs(): Iterable<string> {
    return this.#claims.keys()
  }

  /** All InternalIPs, as text. */
  addresses(): Iterable<string> {
    return this.#holders.keys()
  }

  /** The node that a network belongs to: of several that claim it (one is about to go), the youngest. */
  ownerOf(podCidr: string): { readonly node: ClusterNode; readonly cidr: Cidr } | undefined {
    const claims = [...(this.#claims.get(podCidr) ?? [])].map(([name, cidr]) => ({
      node: this.#nodes.get(name)!,
      cidr,
    }))
    return claims.reduce<(typeof claims)[number] | undefined>(
      (best, claim) => (best === undefined || isYounger(claim.node, best.node) ? claim : best),
      undefined,
    )
  }

  /** A node that has an address. */
  holderOf(address: string): ClusterNode | undefined {
    const [name] = this.#holders.get(address) ?? []
    return name === undefined ? undefined : this.#nodes.get(name)
  }

  /** Takes a node in, in place of what was known of it. */
  set(node: ClusterNode): Touched {
    const before = this.#nodes.get(node.name)
    if (before !== undefined && sameWishes(before, node)) {
      this.#nodes.set(node.name, node)
      return touched()
    }
    if (before !== undefined) this.#forget(before)
    this.#nodes.set(node.name, node)
    for (const cidr of node.podCidrs) {
      const key = formatCidr(cidr)
      this.#claims.set(key, (this.#claims.get(key) ?? new Map()).set(node.name, cidr))
    }
    for (const key of node.addresses.map(formatIp)) {
      this.#holders.set(key, (this.#holders.get(key) ?? new Set()).add(node.name))
    }
    return touched(...(before === undefined ? [node] : [before, node]))
  }

  /** Takes a node out. */
  delete(name: NodeName): Touched {
    const node = this.#nodes.get(name)
    if (node === undefined) return touched()
    this.#forget(node)
    this.#nodes.delete(name)
    return touched(node)
  }

  /** Takes a complete list in: nodes that are not in it are gone. */
  replace(nodes: readonly ClusterNode[]): void {
    const names = new Set(nodes.map(({ name }) => name))
    for (const name of this.#nodes.keys()) if (!names.has(name)) this.delete(name)
    for (const node of nodes) this.set(node)
  }

  #forget(node: ClusterNode): void {
    for (const cidr of node.podCidrs) drop(this.#claims, formatCidr(cidr), node.name)
    for (const address of node.addresses) drop(this.#holders, formatIp(address), node.name)
  }
}

/** Timestamps of the API server are all UTC, in seconds: they sort as text. Of twins the last by name has it. */
const isYounger = (a: ClusterNode, b: ClusterNode): boolean =>
  a.createdAt > b.createdAt || (a.createdAt === b.createdAt && a.name > b.name)

/** A heartbeat changes nothing that anybody here wants to know. */
const sameWishes = (a: ClusterNode, b: ClusterNode): boolean =>
  a.createdAt === b.createdAt &&
  String(a.podCidrs.map(formatCidr)) === String(b.podCidrs.map(formatCidr)) &&
  String(a.addresses.map(formatIp)) === String(b.addresses.map(formatIp))

function touched(...nodes: readonly ClusterNode[]): Touched {
  return {
    podCidrs: new Set(nodes.flatMap(node => node.podCidrs.map(formatCidr))),
    addresses: new Set(nodes.flatMap(node => node.addresses.map(formatIp))),
  }
}

function drop<K, V extends { delete(key: NodeName): boolean; readonly size: number }>(
  map: Map<K, V>,
  key: K,
  name: NodeName,
): void {
  const entries = map.get(key)
  entries?.delete(name)
  if (entries?.size === 0) map.delete(key)
}
