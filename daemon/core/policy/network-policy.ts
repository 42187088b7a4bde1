import type { Protocol } from '../../../cni/core/netlink/field.ts'
import { isObject, type Json } from '../../../cni/spec/read.ts'
import { type Cidr, networkOf, parseCidr } from '../../../ipam/core/ip.ts'
import { at, isPort, parseProtocol, readName, show, text } from './json.ts'
import { parseSelector, type Selector } from './selector.ts'

export type Direction = 'ingress' | 'egress'
export const DIRECTIONS: readonly Direction[] = ['ingress', 'egress']

/** Who may be at the other end. */
export type Peer =
  | { readonly kind: 'block'; readonly cidr: Cidr; readonly except: readonly Cidr[] }
  | {
      readonly kind: 'pods'
      /** Undefined stands for the policy's own namespace. */
      readonly namespaceSelector: Selector | undefined
      /** Absent in the API, it is empty here: all pods. */
      readonly podSelector: Selector
    }

/** What of the destination's ports. */
export type Port =
  | { readonly kind: 'range'; readonly protocol: Protocol; readonly first: number; readonly last: number }
  /** Whatever number the destination pod has for that name. */
  | { readonly kind: 'name'; readonly protocol: Protocol; readonly name: string }

/** What a policy allows: from or to one of the peers, at one of the ports. Empty lists allow nothing. */
export interface PolicyRule {
  /** Its place in the object. */
  readonly index: number
  /** Undefined stands for everybody. */
  readonly peers: readonly Peer[] | undefined
  /** Undefined stands for everything, whether or not it has ports. */
  readonly ports: readonly Port[] | undefined
}

/** A NetworkPolicy of networking.k8s.io/v1. */
export interface NetworkPolicy {
  readonly namespace: string
  readonly name: string
  readonly podSelector: Selector
  /** Undefined when it is none for this direction, and then isolates nobody in it. */
  readonly ingress: readonly PolicyRule[] | undefined
  readonly egress: readonly PolicyRule[] | undefined
  /** What the object says that nobody can use, for the log, and what that comes to. */
  readonly problems: readonly string[]
}

/**
 * Reads a NetworkPolicy. The API server lets none pass that makes no sense, but it may know more than we do. So what is
 * not understood closes rather than opens: a selector's part that is not understood selects more pods to isolate; a
 * peer, port or rule that is not understood allows nothing; a policy type that is not understood stands for both.
 * Throws when it has no name.
 */
export function parseNetworkPolicy(json: unknown): NetworkPolicy {
  const spec = at(json, 'spec')
  const problems: string[] = []
  const complaints: string[] = []
  const podSelector = parseSelector(at(spec, 'podSelector'), 'podSelector', complaints)
  problems.push(...complaints.map(complaint => `${complaint}, so more pods are selected`))
  const directions = parseTypes(spec, problems)
  const rules = (direction: Direction): PolicyRule[] | undefined =>
    directions.includes(direction) ? parseRules(spec, direction, problems) : undefined
  return {
    namespace: readName(json, 'NetworkPolicy', 'namespace'),
    name: readName(json, 'NetworkPolicy'),
    podSelector,
    ingress: rules('ingress'),
    egress: rules('egress'),
    problems,
  }
}

/** `policyTypes`; without, ingress always, and egress if there are rules for it (SetDefaults_NetworkPolicy). */
function parseTypes(spec: unknown, problems: string[]): readonly Direction[] {
  const types = at(spec, 'policyTypes') ?? []
  if (Array.isArray(types) && types.length === 0)
    return isEmpty(at(spec, 'egress')) ? ['ingress'] : DIRECTIONS
  const entries: readonly unknown[] = Array.isArray(types) ? types : [types]
  const unknown = entries.find(entry => entry !== 'Ingress' && entry !== 'Egress')
  if (unknown === undefined)
    return DIRECTIONS.filter(direction => entries.some(entry => text(entry).toLowerCase() === direction))
  problems.push(`policyTypes has ${show(unknown)}, so it is taken for one of ingress and egress`)
  return DIRECTIONS
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.length === 0)

function parseRules(spec: unknown, direction: Direction, problems: string[]): PolicyRule[] {
  return parseAll(at(spec, direction) ?? [], direction, problems, (rule, path, index) => {
    if (!isObject(rule as Json)) return complain(problems, path, rule, 'rule')
    const from = direction === 'ingress' ? 'from' : 'to'
    return {
      index,
      peers: parseList(at(rule, from), `${path}.${from}`, problems, parsePeer),
      ports: parseList(at(rule, 'ports'), `${path}.ports`, problems, parsePort),
    }
  })
}

type Parse<T> = (item: unknown, path: string, problems: string[]) => T | undefined

/** A list that, absent or empty, stands for everything. */
const parseList = <T>(value: unknown, path: string, problems: string[], parse: Parse<T>): T[] | undefined =>
  isEmpty(value) ? undefined : parseAll(value, path, problems, (item, place) => parse(item, place, problems))

function parseAll<T>(
  value: unknown,
  path: string,
  problems: string[],
  parse: (item: unknown, path: string, index: number) => T | undefined,
): T[] {
  if (!Array.isArray(value)) {
    complain(problems, path, value, 'list')
    return []
  }
  return value.flatMap((item: unknown, i) => parse(item, `${path}[${i}]`, i) ?? [])
}

function complain(problems: string[], path: string, value: unknown, what: string): undefined {
  problems.push(`${path} ${show(value)} is no ${what}, so it allows nothing`)
}

function parsePeer(json: unknown, path: string, problems: string[]): Peer | undefined {
  const [block, namespaces, pods] = [
    at(json, 'ipBlock'),
    at(json, 'namespaceSelector'),
    at(json, 'podSelector'),
  ]
  const selects = namespaces !== undefined || pods !== undefined
  if ((block !== undefined) === selects) return complain(problems, path, json, 'peer')
  if (block !== undefined) return parseBlock(block, `${path}.ipBlock`, problems)
  const complaints: string[] = []
  const namespaceSelector =
    namespaces === undefined ? undefined : parseSelector(namespaces, `${path}.namespaceSelector`, complaints)
  const podSelector = parseSelector(pods, `${path}.podSelector`, complaints)
  problems.push(...complaints.map(complaint => `${complaint}, so this peer is nobody`))
  return complaints.length > 0 ? undefined : { kind: 'pods', namespaceSelector, podSelector }
}

function parseBlock(json: unknown, path: string, problems: string[]): Peer | undefined {
  const cidr = parseCidr(text(at(json, 'cidr')))
  const given = at(json, 'except') ?? []
  const entries: readonly unknown[] = Array.isArray(given) ? given : [given]
  const except = entries.flatMap(entry => parseCidr(text(entry)) ?? [])
  if (cidr === undefined || except.length < entries.length) return complain(problems, path, json, 'IP block')
  return { kind: 'block', cidr: networkOf(cidr), except: except.map(networkOf) }
}

function parsePort(json: unknown, path: string, problems: string[]): Port | undefined {
  const protocol = parseProtocol(at(json, 'protocol'))
  const [port, endPort] = [at(json, 'port'), at(json, 'endPort')]
  const wrong = (): undefined => complain(problems, path, json, 'port')
  if (!isObject(json as Json) || protocol === undefined) return wrong()
  if (typeof port === 'string' && port !== '' && endPort === undefined)
    return { kind: 'name', protocol, name: port }
  // Every protocol here has ports, so all of them are all of its packets.
  if (port === undefined && endPort === undefined) return { kind: 'range', protocol, first: 0, last: 65535 }
  if (!isPort(port) || !(endPort === undefined || (isPort(endPort) && endPort >= port))) return wrong()
  return { kind: 'range', protocol, first: port, last: endPort ?? port }
}
