import type { NetworkName } from '../spec/config.ts'
import type { Attachment, IfName } from '../spec/environment.ts'
import { hostVethName, networkTag } from './names.ts'
import { createElements, deleteElements, type Element } from './netlink/element.ts'
import { decodeFields, encodeFields, type Field, type FieldType, formatFields } from './netlink/field.ts'
import type { Request } from './netlink/message.ts'
import { removeChain, type Rule } from './netlink/rule.ts'

/*
 * The plugin's part of table `inet podwire`. Its chains and rules are the same however many containers there are, and
 * nft makes them, once. What is an attachment's own are elements of maps, which a packet finds by one lookup, and which
 * netlink creates and deletes without a program.
 *
 * Every element, and every rule that is an attachment's own, carries the comment `NETWORK VETH`, so that DEL and GC find
 * what an attachment owns without any other state. An address that was handed out again is another's: a late DEL goes
 * by the comment, never by the address.
 */

/** Whose a rule or element is. */
export interface Owner {
  /** The network's tag (names.ts). */
  readonly network: string
  readonly veth: IfName
}

export const TABLE = 'inet podwire'

interface MapType {
  readonly key: readonly FieldType[]
  /** Undefined makes it a set. */
  readonly data: 'verdict' | readonly FieldType[] | undefined
}

/** The maps and sets whose elements have owners; masquerade.ts and host-ports.ts say what they are for. */
export const MAPS = {
  masquerade4: { key: ['ipv4_addr'], data: 'verdict' },
  masquerade6: { key: ['ipv6_addr'], data: 'verdict' },
  hostports4: { key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  hostports6: { key: ['inet_proto', 'inet_service'], data: ['ipv6_addr', 'inet_service'] },
  'hostip-hostports4': {
    key: ['ipv4_addr', 'inet_proto', 'inet_service'],
    data: ['ipv4_addr', 'inet_service'],
  },
  'hostip-hostports6': {
    key: ['ipv6_addr', 'inet_proto', 'inet_service'],
    data: ['ipv6_addr', 'inet_service'],
  },
  hairpin4: { key: ['ipv4_addr', 'ipv4_addr'], data: undefined },
  hairpin6: { key: ['ipv6_addr', 'ipv6_addr'], data: undefined },
  neighbours4: { key: ['ipv4_addr'], data: 'verdict' },
  neighbours6: { key: ['ipv6_addr'], data: 'verdict' },
} as const satisfies Readonly<Record<string, MapType>>

export type MapName = keyof typeof MAPS
export const MAP_NAMES = Object.keys(MAPS) as readonly MapName[]

const typeOf = (map: MapName): MapType => MAPS[map]

/** What an element leads to. */
export type Target =
  | { readonly kind: 'goto'; readonly chain: string }
  | { readonly kind: 'value'; readonly fields: readonly Field[] }

/** An element with its owner. */
export interface OwnedElement {
  readonly kind: 'element'
  readonly map: MapName
  readonly key: readonly Field[]
  /** Undefined in a set, and for what somebody has made of it. */
  readonly target: Target | undefined
  readonly owner: Owner
}

/** A thing of ours in the table, with its owner. */
export type Owned = OwnedElement | { readonly kind: 'chain'; readonly chain: string; readonly owner: Owner }

/** The owner of what an attachment to this network has in the table. */
export const ownerOf = (network: NetworkName, attachment: Attachment): Owner => ({
  network: networkTag(network),
  veth: hostVethName(attachment),
})

/** A comment that tells the owner. */
export const commentOf = (owner: Owner): string => `${owner.network} ${owner.veth}`

/** The owner that a comment tells; undefined for one that somebody else wrote. */
export function parseOwner(comment: string | undefined): Owner | undefined {
  const match = /^(\S+) (veth[0-9a-f]{11})$/.exec(comment ?? '')
  return match === null ? undefined : { network: match[1]!, veth: match[2]! as IfName }
}

/** Whether two owners are the same attachment's. */
export const sameOwner = (a: Owner, b: Owner): boolean => a.network === b.network && a.veth === b.veth

/** An element's place, which only one can have. */
export const placeOf = ({ map, key }: Pick<OwnedElement, 'map' | 'key'>): string =>
  `${map} ${formatFields(key)}`

// Scripts for nft

/** The lines as nft reads them. */
export const script = (lines: readonly string[]): string => lines.map(line => `${line}\n`).join('')

/** A map or set, whether or not it is there. */
export function declareMap(map: MapName): string {
  const { key, data } = typeOf(map)
  const keyText = key.join(' . ')
  if (data === undefined) return `add set ${TABLE} ${map} { type ${keyText}; }`
  return `add map ${TABLE} ${map} { type ${keyText} : ${data === 'verdict' ? data : data.join(' . ')}; }`
}

/** A chain with all its rules, and no other. */
export const fill = (chain: string, rules: readonly string[]): string[] => [
  `flush chain ${TABLE} ${chain}`,
  ...rules.map(rule => `add rule ${TABLE} ${chain} ${rule}`),
]

/** The script that adds elements to maps that are there. */
export const elementScript = (elements: readonly OwnedElement[]): string =>
  script(elements.map(element => `add element ${TABLE} ${element.map} { ${elementText(element)} }`))

const elementText = ({ key, target, owner }: OwnedElement): string =>
  `${formatFields(key)} comment "${commentOf(owner)}"${target === undefined ? '' : ` : ${targetText(target)}`}`

const targetText = (target: Target): string =>
  target.kind === 'goto' ? `goto ${target.chain}` : formatFields(target.fields)

// Messages for the kernel

/** Elements by their map. */
const byMap = (elements: readonly OwnedElement[]): [MapName, OwnedElement[]][] => [
  ...Map.groupBy(elements, ({ map }) => map),
]

/** Creates elements; refused with EEXIST when a place is taken, with ENOENT without their maps and chains. */
export const creation = (elements: readonly OwnedElement[]): Request[] =>
  byMap(elements).flatMap(([map, own]) => createElements(map, own.map(toElement)))

function toElement({ key, target, owner }: OwnedElement): Element {
  const data =
    target?.kind === 'value' ? { kind: 'value' as const, bytes: encodeFields(target.fields) } : target
  return { key: encodeFields(key), data, comment: commentOf(owner) }
}

/** Removes what is listed; refused with ENOENT when some of it is gone. */
export function removal(owned: readonly Owned[]): Request[] {
  const elements = owned.filter(thing => thing.kind === 'element')
  const chains = owned.filter(thing => thing.kind === 'chain')
  return [
    ...byMap(elements).flatMap(([map, own]) =>
      deleteElements(
        map,
        own.map(({ key }) => encodeFields(key)),
      ),
    ),
    ...chains.flatMap(({ chain }) => removeChain(chain)),
  ]
}

/** An element of one of our maps; undefined without an owner's comment: then it is somebody else's. */
export function ownedElement(map: MapName, { key, data, comment }: Element): OwnedElement | undefined {
  const owner = parseOwner(comment)
  const type = typeOf(map)
  const fields = decodeFields(type.key, key)
  if (owner === undefined || fields === undefined) return undefined
  return { kind: 'element', map, key: fields, target: targetOf(type.data, data), owner }
}

function targetOf(type: MapType['data'], data: Element['data']): Target | undefined {
  if (data?.kind !== 'value') return data
  const fields = type === 'verdict' || type === undefined ? undefined : decodeFields(type, data.bytes)
  return fields && { kind: 'value', fields }
}

/** The chain of an attachment's own that this rule is in; undefined when the rule is not an attachment's own. */
export function ownedChain({ chain, comment }: Rule): Owned | undefined {
  const owner = parseOwner(comment)
  return owner !== undefined && chain === spoofChain(owner.veth) ? { kind: 'chain', chain, owner } : undefined
}

/** The chain of an attachment's spoof check (spoof-check.ts). */
export const spoofChain = (veth: IfName): string => `spoof-${veth}`

// Chains that belong to nobody

/** A chain, and how many rules it has to have. */
export interface FilledChain {
  readonly chain: string
  readonly rules: number
}

/**
 * The first of these chains that has lost rules, as after `nft flush chain`. `counts` says how many each chain has
 * now: counting shows what a flush or a removal does, and costs the same whatever else is in the table.
 */
export const emptiedOf = (
  chains: readonly FilledChain[],
  counts: ReadonlyMap<string, number>,
): FilledChain | undefined => chains.find(({ chain, rules }) => (counts.get(chain) ?? 0) < rules)

/** The chains that elements lead to, each once. */
export const targetsOf = (owned: readonly Owned[]): string[] => [
  ...new Set(
    owned.flatMap(thing =>
      thing.kind === 'element' && thing.target?.kind === 'goto' ? [thing.target.chain] : [],
    ),
  ),
]
