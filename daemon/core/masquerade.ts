import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import {
  type Cidr,
  type Family,
  FAMILIES,
  formatCidr,
  formatIp,
  type Ip,
  networkOf,
} from '../../ipam/core/ip.ts'
import { type Networks, outermost } from './networks.ts'

/*
 * The daemon's part of table `inet podwire`, beside the plugin's (cni/core/table.ts):
 *
 *   cluster-masquerade (nat, postrouting), one rule for each podCIDR of this node:
 *     from this podCIDR, and not to multicast, a pod, a node or an excepted network -> masquerade
 *
 * Whom not to masquerade is in sets, so a packet costs the same in a cluster of three nodes and of thousands, and only
 * the first packet of a connection comes here at all. What does not match is left to the other nat chains of this
 * hook. They are of one priority, and the kernel asks none any more once a connection is translated: no order of
 * them translates it twice.
 */

const TABLE = 'inet podwire'
/** `masquerade` itself is a word of nft, which it takes for no chain's name. */
export const CHAIN = 'cluster-masquerade'
const HOOK = 'type nat hook postrouting priority srcnat; policy accept;'
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

/** A set of the daemon's. */
export interface SetShape {
  readonly name: string
  readonly family: Family
  readonly type: 'ipv4_addr' | 'ipv6_addr'
  /** Whether it holds networks (`flags interval`), or single addresses, which a hash finds. */
  readonly interval: boolean
  /** What of a wish it holds. */
  readonly holds: 'pods' | 'nodes' | 'given'
}

const NAMES = { pods: 'cluster-pods', nodes: 'cluster-nodes', given: 'no-masquerade' } as const

export const SETS: readonly SetShape[] = FAMILIES.flatMap(family =>
  (['pods', 'nodes', 'given'] as const).map(holds => ({
    name: `${NAMES[holds]}${family.version}`,
    family,
    type: `ipv${family.version}_addr` as const,
    interval: holds !== 'nodes',
    holds,
  })),
)

/** Whose traffic is masqueraded, and to whom it is not. */
export interface MasqueradeWish {
  /** This node's podCIDRs. With none, nothing is masqueraded. */
  readonly own: readonly Cidr[]
  /** The podCIDRs of all nodes, by text, host bits cleared; whether this node's are among them does not matter. */
  readonly pods: Networks
  /** The addresses, by text, of nodes that know the way back to a pod: those directly connected. */
  readonly nodes: ReadonlyMap<string, Ip>
  /** What the user excepts. */
  readonly given: readonly Cidr[]
}

/** What the sets hold, by the set's name. */
export type Sets = ReadonlyMap<string, Networks>

/** The contents that a wish asks for. Networks that lie in others are left out: nft takes no overlapping ones. */
export function setsOf({ own, pods, nodes, given }: MasqueradeWish): Sets {
  const contents = {
    pods: [...pods, ...keyed(own)],
    nodes: [...nodes].map(([text, ip]): [string, Cidr] => [text, { ip, prefix: ip.family.bits }]),
    given: keyed(given),
  }
  return new Map(
    SETS.map(({ name, family, holds }) => [
      name,
      outermost(contents[holds].filter(([, cidr]) => cidr.ip.family === family)),
    ]),
  )
}

const keyed = (cidrs: readonly Cidr[]): [string, Cidr][] =>
  cidrs.map(networkOf).map(cidr => [formatCidr(cidr), cidr])

/** A rule of the chain. */
export interface Rule {
  /** Whose traffic it masquerades. */
  readonly podCidr: string
  readonly text: string
  /** The rule's hash: a rule that an older version has made carries another. */
  readonly comment: string
}

/** The chain's rules. Each stands alone, so their order does not matter. */
export const rulesOf = ({ own }: MasqueradeWish): Rule[] =>
  FAMILIES.flatMap(family =>
    [...outermost(keyed(own.filter(({ ip }) => ip.family === family)))].map(([podCidr]) =>
      rule(podCidr, family),
    ),
  )

function rule(podCidr: string, family: Family): Rule {
  const { word, version } = family
  const excepted = SETS.filter(set => set.family === family).map(({ name }) => `@${name}`)
  const exceptions = [MULTICAST[version], ...excepted].map(set => `${word} daddr != ${set}`)
  const text = `${word} saddr ${podCidr} ${exceptions.join(' ')} masquerade fully-random`
  const hash = bytesToHex(sha256(new TextEncoder().encode(text))).slice(0, 8)
  return { podCidr, text, comment: `podwired ${hash}` }
}

/** What the table has of the daemon's. `other` is one of our name but not of our making, or of an older version's. */
export interface Present {
  readonly chain: 'missing' | 'right' | 'other'
  /** The comments of the chain's rules; empty where a rule has none. */
  readonly rules: readonly string[]
  readonly sets: ReadonlyMap<
    string,
    { readonly kind: 'right' | 'other'; readonly elements: readonly string[] }
  >
}

/**
 * The script that makes the daemon's part of the table as wished, whatever there was of it. It is one transaction:
 * every packet meets either the rules before or those after it.
 */
export function masqueradeScript(wish: MasqueradeWish, present: Present): string {
  const contents = setsOf(wish)
  return script([
    `add table ${TABLE}`,
    ...removeMisfits(present),
    ...SETS.map(set => `add set ${TABLE} ${set.name} { ${definition(set)} }`),
    ...SETS.map(({ name }) => `flush set ${TABLE} ${name}`),
    ...SETS.flatMap(({ name }) => elements('add', name, [...contents.get(name)!.values()])),
    `add chain ${TABLE} ${CHAIN} { ${HOOK} }`,
    `flush chain ${TABLE} ${CHAIN}`,
    ...rulesOf(wish).map(({ text, comment }) => `add rule ${TABLE} ${CHAIN} ${text} comment "${comment}"`),
  ])
}

const definition = ({ type, interval }: SetShape): string =>
  `type ${type};${interval ? ' flags interval;' : ''}`

/** The kernel changes neither the hook of a chain nor the flags of a set, and removes no set that a rule asks. */
function removeMisfits({ chain, sets }: Present): string[] {
  const misfits = [...sets].flatMap(([name, { kind }]) => (kind === 'other' ? [name] : []))
  return [
    ...(chain === 'missing' ? [] : [`flush chain ${TABLE} ${CHAIN}`]),
    ...(chain === 'other' ? [`delete chain ${TABLE} ${CHAIN}`] : []),
    ...misfits.map(name => `delete set ${TABLE} ${name}`),
  ]
}

/**
 * The script that changes the contents of the sets, which are all there; empty when they stay the same. It may be
 * loaded twice. It fails where somebody else has changed a set so that networks would overlap; then all of the
 * daemon's part is to be loaded anew. Nothing is deleted without need: that costs the kernel a grace period (12 ms).
 */
export function elementsScript(before: Sets, after: Sets): string {
  return script(
    SETS.flatMap(({ name }) => {
      const [removed, added] = [without(before, after, name), without(after, before, name)]
      // nft (1.0.6) takes what the same script deletes for still there, unless all of the set goes.
      if (overlap(removed, added))
        return [`flush set ${TABLE} ${name}`, ...elements('add', name, [...after.get(name)!.values()])]
      return [
        // Added first, because nft does not delete what is not there.
        ...elements('add', name, removed),
        ...elements('delete', name, removed),
        ...elements('add', name, added),
      ]
    }),
  )
}

/** Whether networks of one set overlap with some of another; none do within a set. */
function overlap(some: readonly Cidr[], others: readonly Cidr[]): boolean {
  const all = [...some, ...others]
  return outermost(all.map(cidr => [formatCidr(cidr), cidr])).size < all.length
}

/** What one has in a set that the other has not. */
const without = (one: Sets, other: Sets, name: string): Cidr[] =>
  [...one.get(name)!].flatMap(([text, cidr]) => (other.get(name)!.has(text) ? [] : [cidr]))

/** An empty list of elements would be a syntax error. */
const elements = (verb: 'add' | 'delete', set: string, cidrs: readonly Cidr[]): string[] =>
  cidrs.length === 0 ? [] : [`${verb} element ${TABLE} ${set} { ${cidrs.map(formatElement).join(', ')} }`]

const formatElement = (cidr: Cidr): string =>
  cidr.prefix === cidr.ip.family.bits ? formatIp(cidr.ip) : formatCidr(cidr)

const script = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('')
