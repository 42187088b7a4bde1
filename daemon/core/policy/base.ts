import { addressType } from '../../../cni/core/netlink/field.ts'
import { FAMILIES, type Family } from '../../../ipam/core/ip.ts'
import { type Direction, DIRECTIONS } from './network-policy.ts'
import { type AddressSide, type Chain, type Match, type NftSet, PREFIX, type Rule } from './rule-set.ts'

/*
 * What is there however many policies and pods there are:
 *
 *   policy-forward (postrouting: after DNAT, before SNAT; packets of pods, of the node and by IPVS all come here)
 *     of a connection that was let through, neighbour discovery, from the node to its own pods, a pod to itself -> accept
 *     jump policy-egress: where does saddr lead in policy-egress4 or 6 -> the pod's chain
 *     jump policy-ingress: where does daddr lead in policy-ingress4 or 6 -> the pod's chain
 *   policy-input (input: what pods send to the node itself)
 *     the same, without ingress
 *   policy-drop-ingress, policy-drop-egress: where chains of pods end
 *     [log,] count for the pod, drop
 *
 * So the first packet of a connection costs the same with one pod and with thousands, and all others one look at their
 * connection.
 */

/** Which end of a packet the pod is at, and which its peer. */
export const SIDES: Readonly<Record<Direction, { readonly pod: AddressSide; readonly peer: AddressSide }>> = {
  ingress: { pod: 'daddr', peer: 'saddr' },
  egress: { pod: 'saddr', peer: 'daddr' },
}

/** Address of a pod -> its chain. */
export const verdictMap = (direction: Direction, { version }: Family): string =>
  `${PREFIX}${direction}${version}`
/** Pods whose dropped packets are counted. */
export const countersSet = (direction: Direction, { version }: Family): string =>
  `${PREFIX}dropped-${direction}${version}`
/** Each pod with itself. */
export const selfSet = ({ version }: Family): string => `${PREFIX}self${version}`
export const dropChain = (direction: Direction): string => `${PREFIX}drop-${direction}`
const dispatchChain = (direction: Direction): string => `${PREFIX}${direction}`

/** The sets and maps that are always there, without what is in them. */
export const BASE_SETS: ReadonlyMap<string, NftSet> = new Map(
  FAMILIES.flatMap(family => {
    const address = addressType(family)
    const elements = new Map<string, never>()
    return [
      [selfSet(family), { kind: 'set', key: [address, address], elements }],
      ...DIRECTIONS.flatMap((direction): [string, NftSet][] => [
        [verdictMap(direction, family), { kind: 'map', key: [address], elements }],
        [countersSet(direction, family), { kind: 'counters', key: [address], elements }],
      ]),
    ] satisfies [string, NftSet][]
  }),
)

/** The chains that are always there. `log` has dropped packets told to the kernel's log. */
export const baseChains = (log: boolean): Map<string, Chain> =>
  new Map<string, Chain>([
    ...DIRECTIONS.map((direction): [string, Chain] => [
      dropChain(direction),
      { rules: drops(direction, log) },
    ]),
    ...DIRECTIONS.map((direction): [string, Chain] => [
      dispatchChain(direction),
      { rules: FAMILIES.map(family => dispatch(direction, family)) },
    ]),
    [
      `${PREFIX}forward`,
      {
        hook: 'type filter hook postrouting priority srcnat - 5; policy accept;',
        rules: [
          ...ALWAYS,
          accept({ kind: 'own-node' }),
          ...FAMILIES.map(self),
          jump('egress'),
          jump('ingress'),
        ],
      },
    ],
    [
      `${PREFIX}input`,
      {
        // After IPVS, which takes what is for a Service at 98 and 99 (ip_vs_core.c) and sends it past policy-forward.
        hook: 'type filter hook input priority 105; policy accept;',
        rules: [...ALWAYS, jump('egress')],
      },
    ],
  ])

const accept = (match: Match): Rule => ({ matches: [match], verdict: { kind: 'accept' } })
const ALWAYS = [accept({ kind: 'established' }), accept({ kind: 'discovery' })]

const self = (family: Family): Rule =>
  accept({ kind: 'set', family, parts: ['saddr', 'daddr'], set: selfSet(family) })

const jump = (direction: Direction): Rule => ({
  matches: [],
  verdict: { kind: 'jump', chain: dispatchChain(direction) },
})

const dispatch = (direction: Direction, family: Family): Rule => ({
  matches: [],
  verdict: { kind: 'vmap', family, side: SIDES[direction].pod, map: verdictMap(direction, family) },
})

const drops = (direction: Direction, log: boolean): Rule[] => [
  ...(log
    ? [{ matches: [], verdict: { kind: 'log' as const, prefix: `podwire ${direction} denied: ` } }]
    : []),
  ...FAMILIES.map((family): Rule => {
    const counted = { family, parts: [SIDES[direction].pod], set: countersSet(direction, family) }
    return { matches: [{ kind: 'set', ...counted }], verdict: { kind: 'drop' } }
  }),
  { matches: [], verdict: { kind: 'drop' } },
]
