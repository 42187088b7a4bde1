import { addressType, type Protocol, protocolField, portField } from '../../../cni/core/netlink/field.ts'
import type { Cidr, Family, Ip } from '../../../ipam/core/ip.ts'
import { countEarly } from './bisect.ts'
import type { Entries } from './contents.ts'
import { hashOf } from './hash.ts'
import type { Peer } from './network-policy.ts'
import type { Labels, Pod } from './objects.ts'
import { blocksOf, formatRange, inRanges, rangeElements } from './ranges.ts'
import { type Address, type Element, type Elements, type NftSet, PREFIX, type Range } from './rule-set.ts'
import type { Requirement, Selector } from './selector.ts'

/** A port by its name, as policies for egress may ask for it of whatever pod is at the other end. */
export interface PortName {
  readonly protocol: Protocol
  readonly name: string
}

export const nameText = ({ protocol, name }: PortName): string => `${protocol} ${name}`

/** Pods that a peer selects. */
export interface PodPeer {
  /** By name the policy's own, or those selected. */
  readonly namespaces: string | Selector
  readonly pods: Selector
}

/**
 * What a set is to hold. Its name is a hash of that, not of what it comes to at the moment: policies that ask for the
 * same share it, and a pod that comes or goes changes its elements and nothing else.
 */
export type Definition =
  /** The addresses of pods; of those in podCIDRs none when all pods are meant, for these are in `pod-cidrs`. */
  | {
      readonly kind: 'pods'
      readonly name: string
      readonly family: Family
      /** One at least. */
      readonly peers: readonly PodPeer[]
    }
  /** Address, protocol and number of ports that pods have under these names. */
  | {
      readonly kind: 'ports'
      readonly name: string
      readonly family: Family
      /** Undefined stands for everybody. */
      readonly peers: { readonly pods: readonly PodPeer[]; readonly blocks: readonly Range[] } | undefined
      /** Their {@link nameText}. */
      readonly ports: ReadonlySet<string>
    }
  | {
      readonly kind: 'blocks'
      readonly name: string
      readonly family: Family
      /** One at least. */
      readonly blocks: readonly Range[]
      readonly elements: Elements
    }
  | { readonly kind: 'pod-cidrs'; readonly name: string; readonly family: Family }

/** Definitions whose elements are of pods. */
export type PodDefinition = Extract<Definition, { readonly kind: 'pods' | 'ports' }>

/** The sets that the addresses of these peers are in, one or another. */
export function definePeers(peers: readonly Peer[], namespace: string, family: Family): Definition[] {
  const pods = podPeers(peers, namespace)
  const blocks = blocksOf(peers, family)
  const elements = rangeElements(blocks)
  const define = <K extends 'pods' | 'blocks'>(kind: K, identity: string) =>
    ({ kind, name: `${PREFIX}${kind}${family.version}-${hashOf(identity)}`, family }) as const
  return [
    ...(pods.length > 0 ? [{ ...define('pods', JSON.stringify(pods)), peers: pods }] : []),
    ...(pods.some(isEverybody)
      ? [{ kind: 'pod-cidrs' as const, name: `${PREFIX}pod-cidrs${family.version}`, family }]
      : []),
    ...(blocks.length > 0 ? [{ ...define('blocks', [...elements.keys()].join()), blocks, elements }] : []),
  ]
}

/** The set of ports that these peers have under these names. */
export function definePorts(
  peers: readonly Peer[] | undefined,
  namespace: string,
  family: Family,
  ports: readonly PortName[],
): Definition {
  const selected = peers && { pods: podPeers(peers, namespace), blocks: blocksOf(peers, family) }
  const identity = [selected && [selected.pods, selected.blocks.map(formatRange)], ports]
  const name = `${PREFIX}ports${family.version}-${hashOf(JSON.stringify(identity))}`
  return { kind: 'ports', name, family, peers: selected, ports: new Set(ports.map(nameText)) }
}

/** Sorted, so that the same in another order is the same; when it is everybody, the others do not matter. */
function podPeers(peers: readonly Peer[], namespace: string): PodPeer[] {
  const pods = peers.flatMap((peer): PodPeer[] =>
    peer.kind === 'pods'
      ? [
          {
            namespaces: peer.namespaceSelector === undefined ? namespace : sorted(peer.namespaceSelector),
            pods: sorted(peer.podSelector),
          },
        ]
      : [],
  )
  const everybody = pods.find(isEverybody)
  return everybody === undefined ? sorted(pods) : [everybody]
}

const isEverybody = ({ namespaces, pods }: PodPeer): boolean =>
  typeof namespaces !== 'string' && namespaces.length === 0 && pods.length === 0

function sorted<T>(items: readonly T[]): T[] {
  const byText = new Map(items.map(item => [JSON.stringify(item), item]))
  return [...byText.keys()].sort().map(text => byText.get(text)!)
}

/** Whether labels of namespaces decide about who is in a set. */
export const asksNamespaces = (definition: PodDefinition): boolean =>
  (definition.kind === 'pods' ? definition.peers : (definition.peers?.pods ?? [])).some(
    ({ namespaces }) => typeof namespaces !== 'string' && namespaces.length > 0,
  )

/** Whether podCIDRs decide about who is in a set. */
export const asksPodCidrs = (definition: PodDefinition): boolean =>
  definition.kind === 'pods' && isEverybody(definition.peers[0]!)

/** A set for this definition, but for what is in it. */
export const shapeOf = ({ kind, family }: Definition): Pick<NftSet, 'kind' | 'key'> => ({
  kind: kind === 'pods' || kind === 'ports' ? 'set' : 'ranges',
  key: kind === 'ports' ? [addressType(family), 'inet_proto', 'inet_service'] : [addressType(family)],
})

/** What is known of namespaces and networks. */
export interface Surroundings {
  /** Undefined for a namespace that is not known yet. */
  labelsOf(namespace: string): Labels | undefined
  isInPodCidr(ip: Ip): boolean
}

/** What a pod with these addresses puts into a set. */
export const elementsOf = (
  definition: PodDefinition,
  pod: Pod,
  addresses: readonly Address[],
  around: Surroundings,
): Entries =>
  definition.kind === 'pods'
    ? addressesIn(definition, pod, addresses, around)
    : portsIn(definition, pod, addresses, around)

function addressesIn(
  { peers, family }: PodDefinition & { readonly kind: 'pods' },
  pod: Pod,
  addresses: readonly Address[],
  around: Surroundings,
): Entries {
  if (!peers.some(peer => isSelected(peer, pod, around))) return NONE
  const [peer] = peers
  return addresses
    .filter(({ ip }) => ip.family === family && !(isEverybody(peer!) && around.isInPodCidr(ip)))
    .map(({ entry }) => entry)
}

function portsIn(
  { peers, family, ports }: PodDefinition & { readonly kind: 'ports' },
  pod: Pod,
  addresses: readonly Address[],
  around: Surroundings,
): Entries {
  const named = pod.ports.filter(port => ports.has(nameText(port)))
  if (named.length === 0) return NONE
  const isAmong = ({ ip }: Address): boolean =>
    peers === undefined ||
    peers.pods.some(peer => isSelected(peer, pod, around)) ||
    inRanges(peers.blocks, ip)
  return addresses
    .filter(address => address.ip.family === family && isAmong(address))
    .flatMap(address => named.map(({ protocol, port }) => portEntry(address, protocol, port)))
}

const NONE: Entries = []

const portEntry = (address: Address, protocol: Protocol, port: number): [string, Element] => [
  `${address.text} . ${protocol} . ${port}`,
  { key: [address.field, protocolField(protocol), portField(port)] },
]

function isSelected({ namespaces, pods }: PodPeer, pod: Pod, around: Surroundings): boolean {
  if (typeof namespaces === 'string') return pod.namespace === namespaces && matches(pods, pod.labels)
  if (namespaces.length > 0) {
    const labels = around.labelsOf(pod.namespace)
    if (labels === undefined || !matches(namespaces, labels)) return false
  }
  return matches(pods, pod.labels)
}

/** Whether labels meet a selector. */
export function matches(selector: Selector, labels: Labels): boolean {
  for (const { key, operator, values } of selector) {
    const value = labels.get(key)
    const isFound = value !== undefined && (values.length === 0 || hasValue(values, value))
    if (isFound !== (operator === 'In' || operator === 'Exists')) return false
  }
  return true
}

const hasValue = (values: Requirement['values'], value: string): boolean =>
  values[countEarly(values, each => each < value)] === value

/** Finds the network that an address is in at the cost of their different lengths, however many there are. */
export function findsIn(networks: readonly Cidr[]): (ip: Ip) => boolean {
  const lengths = new Map<Family, Set<number>>()
  const starts = new Set<string>()
  const keyOfStart = ({ ip, prefix }: Cidr): string =>
    `${prefix}/${ip.value >> BigInt(ip.family.bits - prefix)}/${ip.family.version}`
  for (const cidr of networks) {
    starts.add(keyOfStart(cidr))
    lengths.set(cidr.ip.family, (lengths.get(cidr.ip.family) ?? new Set()).add(cidr.prefix))
  }
  return ip => [...(lengths.get(ip.family) ?? [])].some(prefix => starts.has(keyOfStart({ ip, prefix })))
}
