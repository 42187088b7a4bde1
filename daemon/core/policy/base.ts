import { MACS_SET } from '../../../cni/core/closing.ts'
import { addressType } from '../../../cni/core/netlink/field.ts'
import { FAMILIES, type Family, parseCidr } from '../../../ipam/core/ip.ts'
import { type Direction, DIRECTIONS } from './network-policy.ts'
import { type AddressSide, type Chain, type Match, type NftSet, PREFIX, type Rule } from './rule-set.ts'

/*
 * What is there however many policies and pods there are:
 *
 *   policy-source (forward: all but what the node itself sends comes here, even what the pods' bridge takes on)
 *     in the middle of a connection of TCP -> accept: there a lie would have to know its sequence numbers
 *     from the pods' bridge: jump policy-sender
 *     of a connection that was let through -> accept
 *     from a pod, by an address of the node -> drop
 *   policy-sender
 *     is this source, with the MAC that sent it, in policy-senders4 or 6 -> accept
 *     by no address, or one of its link -> return: where br_netfilter is, the bridge takes on what is for all
 *     is the MAC in policy-macs: a pod by an address that is not its own -> drop
 *   policy-forward (postrouting: after DNAT, before SNAT; packets of pods, of the node and by IPVS all come here)
 *     of a connection that was let through, neighbour discovery, from the node to its own pods -> accept
 *     from pod to pod over their bridge, by link-local or multicast addresses -> drop
 *     from a pod to itself -> accept
 *     of no known connection, and none that begins one -> jump policy-midstream
 *     an answer to a flow of UDP that was cut, in policy-echoes4 or 6 -> jump policy-midstream
 *     jump policy-egress: where does saddr lead in policy-egress4 or 6 -> the pod's chain
 *     jump policy-ingress: where does daddr lead in policy-ingress4 or 6 -> the pod's chain
 *   policy-midstream
 *     of or for an isolated pod -> count for the pod, drop
 *   policy-drop-ingress, policy-drop-egress: where chains of pods end
 *     count for the pod, drop
 *   policy-denied-ingress, policy-denied-egress: where all end that is dropped
 *     [log,] drop
 *
 * So the first packet of a connection costs the same with one pod and with thousands. All others cost a look at their
 * connection in both chains; what a pod sends by another protocol than TCP, one at its sender as well.
 *
 * What pods send to the node itself meets none of this: no policy comes between a pod and the node that it runs on,
 * whatever address either uses (https://kubernetes.io/docs/concepts/services-networking/network-policies/, at IP blocks).
 *
 * Pods of a node share a link, and policies know them by their own addresses. Where the bridge keeps its ports apart, they
 * reach each other by routing alone. With br_netfilter it cannot, as it is the bridge then that takes what is for a Service
 * to a pod's port; but then what is bridged comes here as well, and is not to be by other addresses.
 *
 * At policy-forward, what is bridged looks like what the node sends: neither came in by an interface there. So it is
 * policy-source that knows a pod that says it was the node. What the kernel routes of IPv4 it drops by itself (RFC 1812,
 * 5.3.8), unless told otherwise. It comes before IPVS, which gives answers the address of their Service, one of the
 * node's, at the same hook.
 *
 * policy-midstream keeps cut connections cut. When an entry of conntrack is deleted, the next packet of its connection
 * makes another, as if it began one (nf_conntrack_tcp_loose); and when the server sends it, a connection to the client's
 * port begins, which policies may well allow, and with it the client's packets as replies. So of an isolated pod, whichever
 * direction it is isolated in and whichever way the packet goes, nothing passes that is neither of a known connection nor
 * begins one. What conntrack calls invalid is among that: what does not fit its connection, and what NAT so leaves as it is.
 * UDP has no beginnings: there a packet from the other end is as good as a first one, for the API as for us. But answers
 * were on their way when their flow was cut, and would bring it back: so for half a minute what goes their way is not let
 * through.
 */

/** Which end of a packet the pod is at, and which its peer. */
export const SIDES: Readonly<Record<Direction, { readonly pod: AddressSide; readonly peer: AddressSide }>> = {
  ingress: { pod: 'daddr', peer: 'saddr' },
  egress: { pod: 'saddr', peer: 'daddr' },
}

/** Address of a pod -> its chain. */
export const verdictMap = (direction: Direction, { version }: Family): string =>
  `${PREFIX}${direction}${version}`
/** Pods that are isolated in a direction, each with a counter of its packets that were dropped for that. */
export const countersSet = (direction: Direction, { version }: Family): string =>
  `${PREFIX}dropped-${direction}${version}`
/** Each pod with itself. */
export const selfSet = ({ version }: Family): string => `${PREFIX}self${version}`
/** By which source and MAC pods of this node send. */
export const sendersSet = ({ version }: Family): string => `${PREFIX}senders${version}`
export const dropChain = (direction: Direction): string => `${PREFIX}drop-${direction}`
const deniedChain = (direction: Direction): string => `${PREFIX}denied-${direction}`
/** The ways of answers to flows that were cut. */
export const echoesSet = ({ version }: Family): string => `${PREFIX}echoes${version}`
const SENDER_CHAIN = `${PREFIX}sender`
const MIDSTREAM_CHAIN = `${PREFIX}midstream`
const dispatchChain = (direction: Direction): string => `${PREFIX}${direction}`

/** The sets and maps that are always there, without what is in them. */
export const BASE_SETS: ReadonlyMap<string, NftSet> = new Map(
  FAMILIES.flatMap(family => {
    const address = addressType(family)
    const elements = new Map<string, never>()
    return [
      [selfSet(family), { kind: 'set', key: [address, address], elements }],
      [
        echoesSet(family),
        { kind: 'expiring', key: [address, 'inet_service', address, 'inet_service'], elements },
      ],
      ...DIRECTIONS.flatMap((direction): [string, NftSet][] => [
        [verdictMap(direction, family), { kind: 'map', key: [address], elements }],
        [countersSet(direction, family), { kind: 'counters', key: [address], elements }],
      ]),
    ] satisfies [string, NftSet][]
  }),
)

/** The same of those that tell who may send by which address. */
export const SENDER_SETS: ReadonlyMap<string, NftSet> = new Map<string, NftSet>([
  ...FAMILIES.map((family): [string, NftSet] => [
    sendersSet(family),
    { kind: 'set', key: [addressType(family), 'ether_addr'], elements: new Map() },
  ]),
  [MACS_SET, { kind: 'set', key: ['ether_addr'], elements: new Map() }],
])

/** The chains that are always there. `log` has the kernel tell of dropped packets. */
export const baseChains = (log: boolean): Map<string, Chain> =>
  new Map<string, Chain>([
    ...DIRECTIONS.map((direction): [string, Chain] => [
      deniedChain(direction),
      { rules: ends(direction, log) },
    ]),
    ...DIRECTIONS.map((direction): [string, Chain] => [dropChain(direction), { rules: drops(direction) }]),
    [MIDSTREAM_CHAIN, midstreamChain()],
    ...DIRECTIONS.map((direction): [string, Chain] => [
      dispatchChain(direction),
      { rules: FAMILIES.map(family => dispatch(direction, family)) },
    ]),
    [SENDER_CHAIN, senderChain()],
    [`${PREFIX}source`, sourceChain()],
    [`${PREFIX}forward`, forwardChain()],
  ])

const midstreamChain = (): Chain => ({
  rules: DIRECTIONS.flatMap(direction => [...counted('saddr', direction), ...counted('daddr', direction)]),
})

const senderChain = (): Chain => ({
  rules: [
    ...FAMILIES.map(family => accept({ kind: 'sender', family, set: sendersSet(family) })),
    { matches: [{ kind: 'link-scope' }], verdict: { kind: 'return' } },
    dropped({ kind: 'sender', set: MACS_SET }),
  ],
})

const sourceChain = (): Chain => ({
  hook: 'type filter hook forward priority filter; policy accept;',
  rules: [
    accept(IS_TCP, { kind: 'established' }),
    jump(SENDER_CHAIN, { kind: 'from-pods' }),
    accept({ kind: 'established' }),
    dropped({ kind: 'as-node' }),
  ],
})

const forwardChain = (): Chain => ({
  hook: 'type filter hook postrouting priority srcnat - 5; policy accept;',
  rules: [
    accept({ kind: 'established' }),
    accept({ kind: 'discovery' }),
    accept({ kind: 'own-node' }),
    ...LINK_NETWORKS.map(bridged),
    ...FAMILIES.map(self),
    midstream('tcp'),
    midstream('sctp'),
    ...FAMILIES.map(echo),
    jump(dispatchChain('egress')),
    jump(dispatchChain('ingress')),
  ],
})

const IS_TCP: Match = { kind: 'ports', protocol: 'tcp', ranges: [[0, 65535]] }

const accept = (...matches: readonly Match[]): Rule => ({ matches, verdict: { kind: 'accept' } })

/** What is of no pod, or a lie about whose it is, is counted here and not for a pod. */
const dropped = (match: Match): Rule => ({ matches: [match], counts: true, verdict: { kind: 'drop' } })

/** Addresses that are of one link only, or of many there: those by which pods reach each other past their own. */
const LINK_NETWORKS: readonly Omit<Extract<Match, { kind: 'bridged' }>, 'kind'>[] = (
  [
    ['saddr', 'fe80::/10'],
    ['daddr', 'fe80::/10'],
    ['daddr', 'ff00::/8'],
    ['daddr', '224.0.0.0/3'],
  ] as const
).map(([side, network]) => ({ side, network: parseCidr(network)! }))

const bridged = (match: (typeof LINK_NETWORKS)[number]): Rule => dropped({ kind: 'bridged', ...match })

const self = (family: Family): Rule =>
  accept({ kind: 'set', family, parts: ['saddr', 'daddr'], set: selfSet(family) })

const midstream = (protocol: 'tcp' | 'sctp'): Rule => jump(MIDSTREAM_CHAIN, { kind: 'midstream', protocol })

const echo = (family: Family): Rule =>
  jump(MIDSTREAM_CHAIN, { kind: 'udp-way', family, set: echoesSet(family) })

const jump = (chain: string, ...matches: readonly Match[]): Rule => ({
  matches,
  verdict: { kind: 'jump', chain },
})

const dispatch = (direction: Direction, family: Family): Rule => ({
  matches: [],
  verdict: { kind: 'vmap', family, side: SIDES[direction].pod, map: verdictMap(direction, family) },
})

/** Where chains of pods end. A pod that was closed while there was no daemon has no counter. */
const drops = (direction: Direction): Rule[] => [
  ...counted(SIDES[direction].pod, direction),
  { matches: [], verdict: { kind: 'goto', chain: deniedChain(direction) } },
]

/** Ends packets with a pod at that side that is isolated in that direction, and counts them for it. */
const counted = (side: AddressSide, direction: Direction): Rule[] =>
  FAMILIES.map(family => ({
    matches: [{ kind: 'set', family, parts: [side], set: countersSet(direction, family) }],
    verdict: { kind: 'goto', chain: deniedChain(direction) },
  }))

const ends = (direction: Direction, log: boolean): Rule[] => [
  ...(log ? [{ matches: [], verdict: { kind: 'log' as const, prefix: direction } }] : []),
  { matches: [], verdict: { kind: 'drop' } },
]
