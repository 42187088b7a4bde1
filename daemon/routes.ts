import type { KernelRoute } from '../cni/core/netlink/route.ts'
import { Site } from '../cni/edge/site.ts'
import { messageOf } from '../cni/spec/error.ts'
import { type Cidr, formatCidr, formatIp, parseIp } from '../ipam/core/ip.ts'
import type { Cluster, Touched } from './core/cluster.ts'
import type { Log } from './core/log.ts'
import type { NodeName } from './core/node.ts'
import {
  changesFor,
  connectedNetworks,
  isConnected,
  ownRoutes,
  type RouteChange,
  strayAddresses,
  type Way,
  wayTo,
} from './core/routes.ts'
import { applyChange, observeRoutes, removeAddresses } from './edge/routes.ts'
import type { Part } from './reconcile.ts'

/** How many routes one family wants, and how many of them are there. */
export interface RouteCount {
  readonly wanted: number
  readonly present: number
}

/** The routes to the pods of other nodes. */
export class Routes implements Part {
  readonly name = 'routes'
  readonly needs = ['node'] as const
  readonly #cluster: Cluster
  readonly #self: NodeName
  readonly #bridge: string
  readonly #log: Log
  #connected: readonly Cidr[] = []
  /** What is wished for each network, and what of ours the kernel has, as last seen and changed. */
  readonly #ways = new Map<string, Way>()
  #present = new Map<string, readonly KernelRoute[]>()

  constructor(cluster: Cluster, self: NodeName, bridge: string, log: Log) {
    this.#cluster = cluster
    this.#self = self
    this.#bridge = bridge
    this.#log = log
  }

  /** Looks at the kernel and puts every route right. Throws when some could not be; all others are. */
  reconcile(): void {
    const { routes, bridge } = observeRoutes(this.#bridge)
    this.#connected = connectedNetworks(routes, bridge?.index)
    this.#present = ownRoutes(routes)
    const networks = new Set([...this.#cluster.podCidrs(), ...this.#ways.keys(), ...this.#present.keys()])
    for (const network of networks) this.#decide(network)
    this.#removeStrays(bridge?.addresses ?? [])
    this.#settle(networks)
  }

  /** Puts the routes to some networks right, without looking at the rest. Throws as {@link reconcile}. */
  update({ podCidrs }: Pick<Touched, 'podCidrs'>): void {
    for (const network of podCidrs) this.#decide(network)
    this.#settle(podCidrs)
  }

  /** Whether an address is on a network that this node is on. */
  reaches(address: string): boolean {
    const ip = parseIp(address)
    return ip !== undefined && isConnected(ip, this.#connected)
  }

  /** Nodes to whose pods there is no way, with the reason. */
  unreachable(): ReadonlyMap<NodeName, string> {
    const nodes = new Map<NodeName, string>()
    for (const way of this.#ways.values()) if (way.kind === 'none') nodes.set(way.node, way.reason)
    return nodes
  }

  count(version: 4 | 6): RouteCount {
    const wanted = [...this.#ways].flatMap(([network, way]) =>
      way.kind === 'via' && way.dst.ip.family.version === version ? [network] : [],
    )
    return { wanted: wanted.length, present: wanted.filter(network => this.#present.has(network)).length }
  }

  /** Finds the way to a network anew; says when there is none, once. */
  #decide(network: string): void {
    const before = this.#ways.get(network)
    const way = wayTo(network, this.#cluster, this.#self, this.#connected)
    if (way === undefined) this.#ways.delete(network)
    else this.#ways.set(network, way)
    if (way?.kind !== 'none' || (before?.kind === 'none' && before.reason === way.reason)) return
    this.#log.warn(
      { node: way.node, podCIDR: network },
      `Cannot route to the pods of node ${way.node}: ${way.reason}; connect the nodes by one network`,
    )
  }

  #settle(networks: Iterable<string>): void {
    using site = new Site()
    const failures: string[] = []
    let done = 0
    for (const network of networks) {
      const changes = changesFor(this.#ways.get(network), this.#present.get(network) ?? [])
      try {
        for (const change of changes) this.#apply(site, network, change)
        done += changes.length
      } catch (error) {
        failures.push(`${network}: ${messageOf(error)}`)
      }
    }
    if (done > 0) this.#log.info({ changes: done }, `Changed ${done} routes to pods of other nodes`)
    if (failures.length === 0) return
    throw new Error(
      `Cannot set ${failures.length} routes to pods, among them ${failures[0]}; see "ip route show ${failures[0]?.split(': ')[0]}" on the node`,
    )
  }

  #apply(site: Site, network: string, change: RouteChange): void {
    applyChange(site, change)
    const { kind, route } = change
    const others = (this.#present.get(network) ?? []).filter(other => other !== route && kind === 'remove')
    const left = kind === 'remove' ? others : [route]
    if (left.length > 0) this.#present.set(network, left)
    else this.#present.delete(network)
    const via = route.gw === undefined ? '' : ` via ${formatIp(route.gw)}`
    this.#log.debug({ kind }, `${VERBS[kind]} route ${formatCidr(route.dst)}${via}`)
  }

  #removeStrays(onBridge: readonly Cidr[]): void {
    const strays = strayAddresses(onBridge, this.#ways)
    if (strays.length === 0) return
    removeAddresses(this.#bridge, strays)
    for (const cidr of strays)
      this.#log.warn(
        { address: formatCidr(cidr) },
        `Removed ${formatCidr(cidr)} from ${this.#bridge}: its network is another node's by now`,
      )
  }
}

const VERBS = { create: 'Added', replace: 'Replaced', remove: 'Removed' } as const
