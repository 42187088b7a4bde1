import { type Cidr, formatCidr, formatIp, networkOf } from '../../ipam/core/ip.ts'
import type { IfName } from '../spec/environment.ts'
import type { Mac } from './mac.ts'

/*
 * The plugin's part of table `inet podwire`. A packet costs one map lookup however many containers there are:
 *
 *   postrouting: saddr in masquerade4 -> goto leaving-SUBNET: to the subnet or multicast return, else masquerade
 *   spoof-VETH (ingress of that veth): source MAC is not the container's -> drop
 *
 * Every element and rule carries the comment `NETWORK VETH`, so that DEL and GC find what an attachment owns without
 * any other state. One address is one element: a stale owner's DEL must not take it from a new one, so DEL goes by
 * the comment, never by the address.
 */

/** Whose a rule or element is. */
export interface Owner {
  /** The network's tag (names.ts). */
  readonly network: string
  readonly veth: IfName
}

const TABLE = 'inet podwire'
const MAPS = { 4: 'masquerade4', 6: 'masquerade6' } as const
const ADDRESS_TYPES = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

const comment = (owner: Owner): string => `comment "${owner.network} ${owner.veth}"`

/** A subnet's chain; an nft name takes letters, digits, `_`, `/`, `.`, `-`, so `:` becomes `_`. */
const leavingChain = (subnet: Cidr): string => `leaving-${formatCidr(subnet).replaceAll(':', '_')}`

/** A chain with all its rules, and no other. */
const fill = (chain: string, rules: readonly string[]): string[] => [
  `flush chain ${TABLE} ${chain}`,
  ...rules.map(rule => `add rule ${TABLE} ${chain} ${rule}`),
]

const POSTROUTING_RULES = [`ip saddr vmap @${MAPS[4]}`, `ip6 saddr vmap @${MAPS[6]}`]

/** How many rules leavingRules() makes. */
const LEAVING_RULES = 2
const leavingRules = (subnet: Cidr): string[] => {
  const { version, word } = subnet.ip.family
  return [`${word} daddr { ${formatCidr(subnet)}, ${MULTICAST[version]} } return`, 'masquerade fully-random']
}

/** Table, maps and hooks, whether or not they are there: every line can be said twice. */
const SKELETON = [
  `add table ${TABLE}`,
  ...([4, 6] as const).map(v => `add map ${TABLE} ${MAPS[v]} { type ${ADDRESS_TYPES[v]} : verdict; }`),
  `add chain ${TABLE} postrouting { type nat hook postrouting priority srcnat; policy accept; }`,
  ...fill('postrouting', POSTROUTING_RULES),
]

/** A chain, and how many rules it has to have. */
export interface FilledChain {
  readonly chain: string
  readonly rules: number
}

/** The chains that every packet from these addresses passes; their rules are nobody's own, so they carry no owner. */
export const masqueradeChains = (addresses: readonly Cidr[]): FilledChain[] =>
  filled(addresses.map(address => leavingChain(networkOf(address))))

/**
 * The same of elements in the table. CHECK cannot ask by address: in a result of mode `l3` none tells its subnet.
 */
export const chainsBehind = (owned: readonly Owned[]): FilledChain[] => filled(targetsOf(owned))

const filled = (leaving: readonly string[]): FilledChain[] => [
  { chain: 'postrouting', rules: POSTROUTING_RULES.length },
  ...[...new Set(leaving)].map(chain => ({ chain, rules: LEAVING_RULES })),
]

/** The chains that elements lead to. */
const targetsOf = (owned: readonly Owned[]): string[] =>
  owned.flatMap(thing => (thing.kind === 'element' && thing.chain !== '' ? [thing.chain] : []))

/**
 * The first of these chains that has lost rules, as after `nft flush chain`. `counts` says how many each chain has
 * now: counting shows what a flush or a removal does, and costs the same whatever else is in the table.
 */
export const emptiedOf = (
  chains: readonly FilledChain[],
  counts: ReadonlyMap<string, number>,
): FilledChain | undefined => chains.find(({ chain, rules }) => (counts.get(chain) ?? 0) < rules)

/**
 * Masquerades these addresses when table and chains are there: nothing is deleted, which would cost the kernel a
 * grace period (12 ms, measured). It fails when they are not, or when an address has a former owner; whether the chains
 * still have their rules it cannot tell.
 */
export function masqueradeAgainScript(owner: Owner, addresses: readonly Cidr[]): string {
  return script(addresses.map(address => `create ${elementOf(owner, address)}`))
}

/** Masquerades what leaves the subnets of these addresses, whatever there is of the table. */
export function masqueradeScript(owner: Owner, addresses: readonly Cidr[]): string {
  return script([...SKELETON, ...addresses.flatMap(address => masquerade(owner, address))])
}

function masquerade(owner: Owner, address: Cidr): string[] {
  const subnet = networkOf(address)
  const chain = leavingChain(subnet)
  return [
    `add chain ${TABLE} ${chain}`,
    ...fill(chain, leavingRules(subnet)),
    // Thrice, because adding an element that is there changes nothing, not even a former owner's comment.
    `add ${elementOf(owner, address)}`,
    `delete element ${TABLE} ${MAPS[address.ip.family.version]} { ${formatIp(address.ip)} }`,
    `add ${elementOf(owner, address)}`,
  ]
}

const elementOf = (owner: Owner, address: Cidr): string =>
  `element ${TABLE} ${MAPS[address.ip.family.version]} { ${formatIp(address.ip)} ${comment(owner)} : goto ${leavingChain(networkOf(address))} }`

const spoofChain = (veth: IfName): string => `spoof-${veth}`

/** Drops frames that come out of a veth with a source MAC other than the container's. */
export function spoofCheckScript(owner: Owner, mac: Mac): string {
  const chain = spoofChain(owner.veth)
  return script([
    `add table ${TABLE}`,
    `add chain ${TABLE} ${chain} { type filter hook ingress device "${owner.veth}" priority -300; policy accept; }`,
    `flush chain ${TABLE} ${chain}`,
    `add rule ${TABLE} ${chain} ether saddr != ${mac} drop ${comment(owner)}`,
  ])
}

const script = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('')

/** A thing of ours in the table, with its owner. */
export type Owned =
  | {
      readonly kind: 'element'
      readonly map: string
      readonly address: string
      readonly chain: string
      readonly owner: Owner
    }
  | { readonly kind: 'chain'; readonly chain: string; readonly owner: Owner }

/** The script that removes what is listed, and chains by name. */
export function removalScript(owned: readonly Owned[], chains: readonly string[]): string {
  const elements = owned.filter(thing => thing.kind === 'element')
  const own = owned.filter(thing => thing.kind === 'chain').map(thing => thing.chain)
  return script([
    ...elements.map(({ map, address }) => `delete element ${TABLE} ${map} { ${address} }`),
    ...[...own, ...chains].flatMap(chain => [
      `flush chain ${TABLE} ${chain}`,
      `delete chain ${TABLE} ${chain}`,
    ]),
  ])
}

/** The subnets' chains that no address leads to once `chosen` is gone from `all`. */
export function emptiedChains(all: readonly Owned[], chosen: readonly Owned[]): string[] {
  const used = new Set(targetsOf(all.filter(thing => !chosen.includes(thing))))
  return [...new Set(targetsOf(chosen))].filter(chain => !used.has(chain))
}

/** What `nft -j list table inet podwire` shows of ours. Things without our comment are somebody else's. */
export function parseOwned(listing: unknown): Owned[] {
  const items = (listing as { nftables?: unknown[] } | undefined)?.nftables ?? []
  return items.flatMap(item => [...ownedElements(item), ...ownedChains(item)])
}

interface ListedMap {
  readonly name: string
  readonly elem?: readonly [
    { readonly elem?: { readonly val: unknown; readonly comment?: string } },
    { readonly goto?: { readonly target: string } },
  ][]
}

function ownedElements(item: unknown): Owned[] {
  const map = (item as { map?: ListedMap }).map
  return (map?.elem ?? []).flatMap(([key, verdict]): Owned[] => {
    const owner = parseOwner(key.elem?.comment)
    if (map === undefined || owner === undefined || typeof key.elem?.val !== 'string') return []
    return [
      { kind: 'element', map: map.name, address: key.elem.val, chain: verdict.goto?.target ?? '', owner },
    ]
  })
}

function ownedChains(item: unknown): Owned[] {
  const rule = (item as { rule?: { chain: string; comment?: string } }).rule
  const owner = parseOwner(rule?.comment)
  return rule !== undefined && owner !== undefined && rule.chain === spoofChain(owner.veth)
    ? [{ kind: 'chain', chain: rule.chain, owner }]
    : []
}

function parseOwner(text: string | undefined): Owner | undefined {
  const match = /^(\S+) (veth[0-9a-f]{11})$/.exec(text ?? '')
  return match === null ? undefined : { network: match[1]!, veth: match[2]! as IfName }
}

/** Whether two owners are the same attachment's. */
export const sameOwner = (a: Owner, b: Owner): boolean => a.network === b.network && a.veth === b.veth
