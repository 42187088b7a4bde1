import type { Protocol } from '../../../cni/core/netlink/field.ts'
import { contains, type Ip, sameIp } from '../../../ipam/core/ip.ts'
import type { Direction, NetworkPolicy, Peer, PolicyRule, Port } from './network-policy.ts'
import { type Attached, isAttachedTo, type Labels, type Objects, type Pod, type Site } from './objects.ts'
import type { Selector } from './selector.ts'

/*
 * What the API says about a packet, word by word, from the objects alone. It shares nothing with the compiler but these,
 * so that each is a test of the other; and it knows the reason, which a verdict in the kernel does not.
 */

/** The first packet of a connection, as it leaves the source's node: after DNAT, before SNAT. */
export interface Packet {
  readonly source: Ip
  readonly destination: Ip
  /** `discovery` is ICMPv6 neighbour discovery (RFC 4861), `other` whatever has no ports that policies know. */
  readonly protocol: Protocol | 'discovery' | 'other'
  /** The destination's; 0 where there are none. */
  readonly port: number
  /** The node whose own process sends it; undefined for pods and for the world outside. */
  readonly sender?: string
  /** The node whose own process is to receive it; undefined for pods and for the world outside. */
  readonly receiver?: string
}

/** Why a packet may pass one end, or may not. */
export type Reason =
  /** No policy is about this pod and direction. */
  | { readonly kind: 'not-isolated' }
  | { readonly kind: 'self' }
  /** Between a pod and the node that it runs on (kubernetes.io, Network Policies). */
  | { readonly kind: 'own-node' }
  | { readonly kind: 'discovery' }
  | { readonly kind: 'allowed'; readonly policy: NetworkPolicy; readonly rule: PolicyRule }
  | { readonly kind: 'isolated'; readonly policies: readonly NetworkPolicy[] }
  /** The pod is wired, and the API server has not told of it. */
  | { readonly kind: 'unknown-pod' }

/** What is decided at one end, by the node of the pod there. */
export interface Decision {
  readonly direction: Direction
  readonly pod: { readonly namespace: string; readonly name: string }
  readonly node: string
  readonly isAllowed: boolean
  readonly reason: Reason
}

/** What is decided at both ends; an end that is no pod decides nothing. */
export interface Judgement {
  readonly isAllowed: boolean
  readonly decisions: readonly Decision[]
}

/** Decides about a packet. Replies are no question: they pass when what they answer has passed. */
export function evaluate(objects: Objects, site: Site, packet: Packet): Judgement {
  const source = packet.sender === undefined ? holderOf(objects, site, packet.source) : undefined
  const destination = packet.receiver === undefined ? holderOf(objects, site, packet.destination) : undefined
  const context = { objects, site, packet, source, destination }
  const decisions = [
    ...(source === undefined ? [] : [decide(context, 'egress', source)]),
    ...(destination === undefined ? [] : [decide(context, 'ingress', destination)]),
  ]
  return { isAllowed: decisions.every(({ isAllowed }) => isAllowed), decisions }
}

interface Context {
  readonly objects: Objects
  readonly site: Site
  readonly packet: Packet
  readonly source: Holder | undefined
  readonly destination: Holder | undefined
}

/** Who has an address: a pod that the API server knows, or one of this node's that it does not. */
type Holder =
  | { readonly kind: 'known'; readonly pod: Pod; readonly node: string }
  | { readonly kind: 'unknown'; readonly pod: Attached; readonly node: string }

/**
 * What was attached here has the address, whatever the API server still says; of several pods that claim it (one is
 * about to go), the youngest.
 */
function holderOf(objects: Objects, { node }: Site, ip: Ip): Holder | undefined {
  const has = ({ addresses }: Pick<Pod, 'addresses'>): boolean =>
    addresses.some(address => sameIp(address, ip))
  const attached = objects.attached.findLast(has)
  if (attached !== undefined) {
    const pod = objects.pods.find(each => isAttachedTo(attached, each))
    return pod === undefined ? { kind: 'unknown', pod: attached, node } : { kind: 'known', pod, node }
  }
  const isAttached = (pod: Pod): boolean => objects.attached.some(each => isAttachedTo(each, pod))
  const [pod] = objects.pods
    .filter(each => has(each) && !isAttached(each))
    .sort((a, b) => (age(a) < age(b) ? 1 : -1))
  return pod && { kind: 'known', pod, node: pod.node }
}

const age = ({ createdAt, namespace, name }: Pod): string => `${createdAt} ${namespace}/${name}`

function decide(context: Context, direction: Direction, holder: Holder): Decision {
  const { pod, node } = holder
  const reason = reasonFor(context, direction, holder)
  const isAllowed =
    reason.kind === 'unknown-pod' ? context.site.unknownPods === 'open' : reason.kind !== 'isolated'
  return { direction, pod, node, isAllowed, reason }
}

function reasonFor(context: Context, direction: Direction, holder: Holder): Reason {
  const { objects, packet } = context
  if (packet.protocol === 'discovery') return { kind: 'discovery' }
  if ([packet.sender, packet.receiver].includes(holder.node)) return { kind: 'own-node' }
  if (sameIp(packet.source, packet.destination)) return { kind: 'self' }
  if (holder.kind === 'unknown') return { kind: 'unknown-pod' }
  const { pod } = holder
  const policies = objects.policies.filter(
    policy =>
      policy[direction] !== undefined &&
      policy.namespace === pod.namespace &&
      meets(pod.labels, policy.podSelector),
  )
  if (policies.length === 0) return { kind: 'not-isolated' }
  for (const policy of policies) {
    const rule = policy[direction]!.find(each => allows(context, direction, policy, each))
    if (rule !== undefined) return { kind: 'allowed', policy, rule }
  }
  return { kind: 'isolated', policies }
}

const allows = (
  context: Context,
  direction: Direction,
  policy: NetworkPolicy,
  { peers, ports }: PolicyRule,
): boolean =>
  (peers === undefined || peers.some(peer => isPeer(context, direction, policy, peer))) &&
  (ports === undefined || ports.some(port => isPort(context, port)))

function isPeer(context: Context, direction: Direction, policy: NetworkPolicy, peer: Peer): boolean {
  const { objects, packet } = context
  const [ip, holder] =
    direction === 'ingress' ? [packet.source, context.source] : [packet.destination, context.destination]
  if (peer.kind === 'block') return contains(peer.cidr, ip) && !peer.except.some(each => contains(each, ip))
  const { namespaceSelector, podSelector } = peer
  // All pods of the cluster are whoever lives in a podCIDR, even before the API server tells of him.
  if (namespaceSelector?.length === 0 && podSelector.length === 0)
    if (objects.podCidrs.some(cidr => contains(cidr, ip))) return true
  if (holder?.kind !== 'known' || !meets(holder.pod.labels, podSelector)) return false
  const { namespace } = holder.pod
  if (namespaceSelector === undefined) return namespace === policy.namespace
  return isSelected(objects, namespace, namespaceSelector)
}

/** Of a namespace that is not known yet nobody can say that it lacks a label. */
function isSelected({ namespaces }: Objects, name: string, selector: Selector): boolean {
  const namespace = namespaces.find(each => each.name === name)
  return selector.length === 0 || (namespace !== undefined && meets(namespace.labels, selector))
}

function isPort({ packet, destination }: Context, port: Port): boolean {
  if (packet.protocol !== port.protocol) return false
  if (port.kind === 'range') return packet.port >= port.first && packet.port <= port.last
  return (
    destination?.kind === 'known' &&
    destination.pod.ports.some(
      ({ name, protocol, port: number }) =>
        name === port.name && protocol === port.protocol && number === packet.port,
    )
  )
}

const meets = (labels: Labels, selector: Selector): boolean =>
  selector.every(({ key, operator, values }) => {
    const value = labels.get(key)
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
    }
  })
