import {
  addressField,
  type Field,
  type FieldType,
  formatFields,
  type Protocol,
} from '../../../cni/core/netlink/field.ts'
import type { Cidr, Family, Ip } from '../../../ipam/core/ip.ts'

/*
 * The policies' part of table `inet podwire` as data. All names begin with `policy-`: nothing else in the table does, and
 * nothing else of the table is ever touched.
 */

export const TABLE = 'inet podwire'
export const PREFIX = 'policy-'
/**
 * The group of NFLOG that is told of dropped packets: the number that our routes have as their protocol. Each group has one
 * listener, and others take the first ones: 0 is everybody's default.
 */
export const LOG_GROUP = 117

/** An element of a set; in a map it leads to a chain, and tells the pod in a comment. */
export interface Element {
  readonly key: readonly Field[]
  /** Only in a set of ranges: the end of what begins with the key, itself included. */
  readonly last?: Field
  readonly target?: string
  readonly comment?: string
}

/** Elements by their keys' text, as nft writes them. */
export type Elements = ReadonlyMap<string, Element>

/**
 * A set, or a map, which nft counts among them. What pods change are hashes: an element needs no look at the others. What
 * is in one that is `expiring` comes and goes beside the rule set, which has it without elements.
 */
export interface NftSet {
  readonly kind: 'set' | 'map' | 'counters' | 'ranges' | 'expiring'
  readonly key: readonly FieldType[]
  readonly elements: Elements
}

/** Addresses from the first to the last, both included and of one family. */
export interface Range {
  readonly first: Ip
  readonly last: Ip
}

export type AddressSide = 'saddr' | 'daddr'
type Part = AddressSide | 'l4proto' | 'dport'

/** What a rule asks of a packet. */
export type Match =
  /** It belongs to a connection that has been judged, or answers one. */
  | { readonly kind: 'established' }
  /** ICMPv6 neighbour discovery. */
  | { readonly kind: 'discovery' }
  /** The node itself sends it. */
  | { readonly kind: 'own-node' }
  /** It comes from the pods' bridge. */
  | { readonly kind: 'from-pods' }
  /** Its source with the MAC that it was sent by, or that MAC alone, is in a set. */
  | { readonly kind: 'sender'; readonly family?: Family; readonly set: string }
  /** It is from an address that is good on its link alone, or from none (RFC 4291, 2.5). */
  | { readonly kind: 'link-scope' }
  /** It comes from the pods' bridge by an address of the node itself. */
  | { readonly kind: 'as-node' }
  /** The pods' bridge itself takes it from one to another, where br_netfilter is, and that end is in this network. */
  | { readonly kind: 'bridged'; readonly side: AddressSide; readonly network: Cidr }
  /** It is of this protocol and not one that begins a connection. */
  | { readonly kind: 'midstream'; readonly protocol: 'tcp' | 'sctp' }
  /** It is of UDP, and its source, port, destination and port, together, are in a set. */
  | { readonly kind: 'udp-way'; readonly family: Family; readonly set: string }
  /** These parts of it, together, are in a set. */
  | { readonly kind: 'set'; readonly family: Family; readonly parts: readonly Part[]; readonly set: string }
  /** Its protocol and destination port; the ranges are sorted and do not touch. */
  | { readonly kind: 'ports'; readonly protocol: Protocol; readonly ranges: readonly PortRange[] }

export type PortRange = readonly [first: number, last: number]

export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** Goes where the map's element leads; without one, on to the next rule. */
  | { readonly kind: 'vmap'; readonly family: Family; readonly side: AddressSide; readonly map: string }
  /** Tells whoever listens to {@link LOG_GROUP}, not too often, and goes on to the next rule. */
  | { readonly kind: 'log'; readonly prefix: string }

export interface Rule {
  readonly matches: readonly Match[]
  /** Whether it counts its packets. */
  readonly counts?: true
  readonly verdict: Verdict
  readonly comment?: string
}

/** `hook` makes it a base chain, in nft's words. */
export interface Chain {
  readonly hook?: string
  readonly rules: readonly Rule[]
}

export interface RuleSet {
  readonly chains: ReadonlyMap<string, Chain>
  readonly sets: ReadonlyMap<string, NftSet>
}

/** An element with its key's text. */
export const entryOf = (element: Element): readonly [string, Element] => [formatFields(element.key), element]

/** The same set with what is in it now; the very same when that has not changed. */
export const withElements = (set: NftSet, elements: Elements): NftSet =>
  set.elements === elements ? set : { ...set, elements }

/** An address and what it is in a set, made once: a pod's is in many. */
export interface Address {
  readonly ip: Ip
  readonly text: string
  readonly field: Field
  /** Of a set of addresses, with its key's text. */
  readonly entry: readonly [string, Element]
}

export function addressOf(ip: Ip): Address {
  const field = addressField(ip)
  const text = formatFields([field])
  return { ip, text, field, entry: [text, { key: [field] }] }
}
