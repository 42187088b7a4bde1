import type { Brand } from '../../cni/spec/brand.ts'
import { isObject, type Json } from '../../cni/spec/read.ts'
import { type Cidr, type Family, type Ip, networkOf, parseCidr, parseIp } from '../../ipam/core/ip.ts'

export type NodeName = Brand<string, 'NodeName'>

/** What the daemon keeps of a Node object. */
export interface ClusterNode {
  readonly name: NodeName
  /** Networks of this node's pods, host bits cleared; empty until the controller manager has given some. */
  readonly podCidrs: readonly Cidr[]
  /** InternalIPs, in the order of the object. */
  readonly addresses: readonly Ip[]
  /** When the object was made, RFC 3339: of two nodes that claim one network, the younger has it. */
  readonly createdAt: string
  /** What the object says that nobody can use, for the log. */
  readonly problems: readonly string[]
}

/** A DNS subdomain (RFC 1123), which every Node's name is. */
const NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Reads a node's name; undefined for what no Node can be called. */
export const parseNodeName = (text: string): NodeName | undefined =>
  NAME.test(text) ? (text as NodeName) : undefined

/**
 * Reads a Node of core/v1. A part that makes no sense is left out and named in `problems`, so that one odd entry costs
 * a node no more than that entry. Throws when not even the name can be read.
 */
export function parseNode(json: unknown): ClusterNode {
  const metadata = at(json, 'metadata')
  const name = parseNodeName(text(at(metadata, 'name')))
  if (name === undefined) throw new Error('Cannot read a Node object: it has no proper metadata.name')
  const problems: string[] = []
  return {
    name,
    podCidrs: podCidrsOf(at(json, 'spec')).flatMap(entry => {
      const cidr = parseCidr(text(entry))
      if (cidr === undefined) problems.push(`podCIDR ${show(entry)} is no network`)
      return cidr === undefined ? [] : [networkOf(cidr)]
    }),
    addresses: internalIps(at(json, 'status')).flatMap(entry => {
      const ip = parseIp(text(entry))
      if (ip === undefined) problems.push(`InternalIP ${show(entry)} is no address`)
      return ip ?? []
    }),
    createdAt: text(at(metadata, 'creationTimestamp')),
    problems,
  }
}

/** The node's first address of a family. */
export const addressOf = (node: ClusterNode, family: Family): Ip | undefined =>
  node.addresses.find(address => address.family === family)

/** `spec.podCIDRs`, or the one of API servers from before dual stack. */
function podCidrsOf(spec: unknown): readonly unknown[] {
  const several = list(at(spec, 'podCIDRs'))
  const one = at(spec, 'podCIDR')
  return several.length > 0 || one === undefined || one === '' ? several : [one]
}

const internalIps = (status: unknown): unknown[] =>
  list(at(status, 'addresses'))
    .filter(entry => at(entry, 'type') === 'InternalIP')
    .map(entry => at(entry, 'address'))

const at = (value: unknown, key: string): unknown =>
  isObject(value as Json) ? (value as { readonly [key: string]: unknown })[key] : undefined

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const show = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 80)
