import { type KernelRoute, MAIN_TABLE, SCOPE } from '../../cni/core/netlink/route.ts'
import { type Cidr, contains, formatCidr, formatIp, type Ip, sameIp } from '../../ipam/core/ip.ts'
import type { Cluster } from './cluster.ts'
import { addressOf, type NodeName } from './node.ts'

/** Marks the daemon's routes (rtm_protocol): what carries another number is somebody else's. */
export const PROTOCOL = 117

/** Where a network of pods is reached: the way, none because it is here, or none and why. */
export type Way =
  | { readonly kind: 'via'; readonly dst: Cidr; readonly gw: Ip }
  | { readonly kind: 'own' }
  | { readonly kind: 'none'; readonly node: NodeName; readonly reason: string }

/**
 * The way to a network of pods: by the address of the node that has it, which must be on a network that this node is
 * on itself; undefined when no node has it (any more). `connected` are the networks this node is on.
 */
export function wayTo(
  podCidr: string,
  cluster: Cluster,
  self: NodeName,
  connected: readonly Cidr[],
): Way | undefined {
  const owner = cluster.ownerOf(podCidr)
  if (owner === undefined) return undefined
  if (owner.node.name === self || isOwn(podCidr, cluster, self)) return { kind: 'own' }
  const { node, cidr: dst } = owner
  const gw = addressOf(node, dst.ip.family)
  if (gw === undefined) return none(node.name, `it has no IPv${dst.ip.family.version} InternalIP`)
  if (!isConnected(gw, connected))
    return none(node.name, `its InternalIP ${formatIp(gw)} is on no network that this node is on`)
  return { kind: 'via', dst, gw }
}

const none = (node: NodeName, reason: string): Way => ({ kind: 'none', node, reason })

/** This node keeps its own network, whoever else claims it: its pods live there. */
const isOwn = (podCidr: string, cluster: Cluster, self: NodeName): boolean =>
  cluster.node(self)?.podCidrs.some(cidr => formatCidr(cidr) === podCidr) ?? false

/** Whether an address is on a network that this node is on. */
export const isConnected = (ip: Ip, connected: readonly Cidr[]): boolean =>
  connected.some(network => contains(network, ip))

/**
 * The networks that this node is on, of its routes: those that no gateway is needed for. A default route without one, into
 * a point-to-point link, is no network: who is at its other end says nothing of who else is there.
 */
export const connectedNetworks = (routes: readonly KernelRoute[], bridge: number | undefined): Cidr[] =>
  routes
    .filter(({ gw, table, index }) => gw === undefined && table === MAIN_TABLE && index !== bridge)
    .filter(({ dst }) => dst.prefix > 0)
    .map(({ dst }) => dst)

/** The daemon's own routes, by network; more than one for a network where somebody has meddled. */
export function ownRoutes(routes: readonly KernelRoute[]): Map<string, KernelRoute[]> {
  const own = new Map<string, KernelRoute[]>()
  for (const route of routes) {
    if (route.protocol !== PROTOCOL || route.table !== MAIN_TABLE) continue
    const key = formatCidr(route.dst)
    own.set(key, [...(own.get(key) ?? []), route])
  }
  return own
}

/** One change of the kernel's table. */
export type RouteChange =
  | { readonly kind: 'create' | 'replace'; readonly route: KernelRoute }
  | { readonly kind: 'remove'; readonly route: KernelRoute }

/**
 * What makes the routes to one network be as wished. A route is replaced in place, never removed and made again, so
 * packets under way always find one; `create` fails where somebody else has a route of his own, which stays.
 */
export function changesFor(way: Way | undefined, present: readonly KernelRoute[]): RouteChange[] {
  if (way?.kind !== 'via') return present.map(remove)
  const wish = routeVia(way)
  const inPlace = present.filter(({ priority }) => priority === wish.priority)
  const right = inPlace.find(({ gw }) => gw !== undefined && sameIp(gw, way.gw))
  const kept = right ?? inPlace[0]
  const removals = present.filter(route => route !== kept).map(remove)
  if (right !== undefined) return removals
  // The others first: the kernel replaces whichever it finds.
  return [...removals, { kind: kept === undefined ? 'create' : 'replace', route: wish }]
}

const remove = (route: KernelRoute): RouteChange => ({ kind: 'remove', route })

/** What the kernel takes for the priority of a route that names none; it shows that of IPv6 and not that of IPv4. */
const PRIORITY = { 4: undefined, 6: 1024 } as const

/** The route of a way; the kernel finds the interface by the gateway. */
export const routeVia = ({ dst, gw }: Extract<Way, { kind: 'via' }>): KernelRoute => ({
  dst,
  gw,
  index: undefined,
  table: MAIN_TABLE,
  scope: SCOPE.universe,
  priority: PRIORITY[dst.ip.family.version],
  protocol: PROTOCOL,
})

/**
 * Addresses on the bridge from a network that is another node's by now (a podCIDR that was given away): while one is
 * there, the kernel takes that network's pods for local.
 */
export const strayAddresses = (onBridge: readonly Cidr[], ways: ReadonlyMap<string, Way>): Cidr[] =>
  onBridge.filter(cidr =>
    [...ways.values()].some(
      way => way.kind === 'via' && contains(cidr, way.dst.ip) && contains(way.dst, cidr.ip),
    ),
  )
