import type { Protocol } from '../../../cni/core/netlink/field.ts'
import { type Family, formatIp, type Ip } from '../../../ipam/core/ip.ts'
import { isWithin } from './bisect.ts'
import type { Packet } from './evaluate.ts'
import {
  type Element,
  type Elements,
  type Match,
  type NftSet,
  PREFIX,
  type Rule,
  type RuleSet,
} from './rule-set.ts'

/**
 * Carries out the rules of a node on the first packet of a connection, as its kernel would: what they say of connections
 * that were let through by others. It costs what the rules of the pods at both ends cost, however many pods there are.
 */
export function judge(rules: RuleSet, node: string, packet: Packet): 'accept' | 'drop' {
  // What the node itself receives is not forwarded, and so meets no rule.
  if (packet.receiver === node) return 'accept'
  const { source, destination, protocol, port } = packet
  const parts = { saddr: formatIp(source), daddr: formatIp(destination), l4proto: protocol, dport: `${port}` }
  const verdict = runChain({ rules, node, packet, parts }, `${PREFIX}forward`)
  return verdict === 'return' ? 'accept' : verdict
}

interface Context {
  readonly rules: RuleSet
  readonly node: string
  readonly packet: Packet
  /** As they are in keys of sets. */
  readonly parts: Readonly<Record<'saddr' | 'daddr' | 'l4proto' | 'dport', string>>
}

/** `return` says that the chain let go of the packet: by a rule, or because it has no more. */
type Outcome = 'accept' | 'drop' | 'return'

function runChain(context: Context, name: string): Outcome {
  for (const rule of context.rules.chains.get(name)!.rules) {
    if (!rule.matches.every(match => isMet(context, match))) continue
    const outcome = runVerdict(context, rule)
    if (outcome !== undefined) return outcome
  }
  return 'return'
}

/** Undefined goes on to the next rule. */
function runVerdict(context: Context, { verdict }: Rule): Outcome | undefined {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return verdict.kind
    case 'goto':
      return runChain(context, verdict.chain)
    case 'jump': {
      const outcome = runChain(context, verdict.chain)
      return outcome === 'return' ? undefined : outcome
    }
    case 'vmap': {
      const { family, side, map } = verdict
      const found = isOf(context, family) ? setOf(context, map).elements.get(context.parts[side]) : undefined
      return found && runChain(context, found.target!)
    }
    case 'log':
      return undefined
  }
}

function isMet(context: Context, match: Match): boolean {
  const { packet, node } = context
  switch (match.kind) {
    case 'established':
    case 'from-pods':
    case 'link-scope':
    case 'sender':
    case 'as-node':
    case 'bridged':
    case 'midstream':
    case 'udp-way':
      // A first packet is neither of a known connection nor of one that began before; and whom policies know by his
      // address has one of his own, which is in none of the networks that are of one link.
      return false
    case 'discovery':
      return packet.protocol === 'discovery'
    case 'own-node':
      return packet.sender === node
    case 'set':
      return isOf(context, match.family) && isIn(setOf(context, match.set), context, match)
    case 'ports':
      return isPort(packet, match)
  }
}

const isOf = ({ packet }: Context, family: Family): boolean => packet.source.family === family

const setOf = ({ rules }: Context, name: string): NftSet => rules.sets.get(name)!

function isIn(
  { kind, elements }: NftSet,
  { packet, parts }: Context,
  match: Extract<Match, { kind: 'set' }>,
): boolean {
  if (kind !== 'ranges') return elements.has(match.parts.map(part => parts[part]).join(' . '))
  const { value }: Ip = match.parts[0] === 'saddr' ? packet.source : packet.destination
  return isWithin(sortedOf(elements), value, [({ key }) => key[0]!.value, ({ last }) => last!.value])
}

/** Ranges come sorted; as an array they can be bisected. */
function sortedOf(elements: Elements): readonly Element[] {
  const sorted = SORTED.get(elements) ?? [...elements.values()]
  SORTED.set(elements, sorted)
  return sorted
}

const SORTED = new WeakMap<Elements, readonly Element[]>()

const isPort = (
  packet: Packet,
  { protocol, ranges }: { readonly protocol: Protocol } & Extract<Match, { kind: 'ports' }>,
): boolean =>
  packet.protocol === protocol && isWithin(ranges, packet.port, [([first]) => first, ([, last]) => last])
