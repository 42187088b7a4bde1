import type { Family, Ip } from '../../ipam/core/ip.ts'
import { addressField, type Field, portField, protocolField } from '../../cni/core/netlink/field.ts'
import type { Difference } from '../../daemon/core/policy/difference.ts'
import type { Packet } from '../../daemon/core/policy/evaluate.ts'
import { formatRule } from '../../daemon/core/policy/render.ts'
import type { Element, Match, NftSet, Rule, RuleSet } from '../../daemon/core/policy/rule-set.ts'

/** Where a packet goes: past the node's postrouting hook, or in to the node itself. */
export type Hook = 'policy-forward' | 'policy-input'

/** Carries out the rules of a node on the first packet of a connection, as the kernel would. */
export function interpret(rules: RuleSet, node: string, hook: Hook, packet: Packet): 'accept' | 'drop' {
  const verdict = runChain({ rules, node, packet }, hook)
  return verdict === 'return' ? 'accept' : verdict
}

interface Context {
  readonly rules: RuleSet
  readonly node: string
  readonly packet: Packet
}

/** `return` says that the chain let go of the packet: by a rule, or because it has no more. */
type Outcome = 'accept' | 'drop' | 'return'

function runChain(context: Context, name: string): Outcome {
  const chain = context.rules.chains.get(name)
  if (chain === undefined)
    throw new Error(`Cannot run chain ${name}: the rules lead to it, and it is not there`)
  for (const rule of chain.rules) {
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
      const address = partOf(context.packet, verdict.side)
      const found = find(setOf(context, verdict.map), verdict.family, [address])
      return found === undefined ? undefined : runChain(context, found.target!)
    }
    case 'log':
      return undefined
  }
}

function isMet(context: Context, match: Match): boolean {
  const { packet, node } = context
  switch (match.kind) {
    case 'established':
      return false
    case 'discovery':
      return packet.protocol === 'discovery'
    case 'own-node':
      return packet.sender === node
    case 'set': {
      const key = match.parts.map(part => partOf(packet, part))
      return find(setOf(context, match.set), match.family, key) !== undefined
    }
    case 'ports':
      return (
        packet.protocol === match.protocol &&
        match.ranges.some(([first, last]) => first <= packet.port && packet.port <= last)
      )
  }
}

function setOf({ rules }: Context, name: string): NftSet {
  const set = rules.sets.get(name)
  if (set === undefined)
    throw new Error(`Cannot look into set ${name}: the rules ask it, and it is not there`)
  return set
}

type Part = 'saddr' | 'daddr' | 'l4proto' | 'dport'

/** Undefined for what a packet without ports has not. */
function partOf(packet: Packet, part: Part): Field | undefined {
  if (part === 'saddr' || part === 'daddr') return addressField(addressAt(packet, part))
  if (packet.protocol === 'other' || packet.protocol === 'discovery') return undefined
  return part === 'l4proto' ? protocolField(packet.protocol) : portField(packet.port)
}

const addressAt = ({ source, destination }: Packet, side: 'saddr' | 'daddr'): Ip =>
  side === 'saddr' ? source : destination

function find(
  { elements, key }: NftSet,
  family: Family,
  parts: readonly (Field | undefined)[],
): Element | undefined {
  if (key[0] !== `ipv${family.version}_addr`) throw new Error('Cannot look into a set of the other family')
  const has = (element: Element): boolean =>
    element.key.every((field, i) => {
      const part = parts[i]
      const [from, to] = [field.value, (element.last ?? field).value]
      return part?.type === field.type && from <= part.value && part.value <= to
    })
  return [...elements.values()].find(has)
}

/** Makes a difference in a rule set, as the kernel would of the script. Refuses what nft would refuse. */
export function applyDifference(present: RuleSet, change: Difference): RuleSet {
  const sets = new Map([...present.sets, ...change.newSets])
  for (const [name, { removed, added }] of change.changes) {
    const elements = new Map(sets.get(name)!.elements)
    for (const key of removed)
      if (!elements.delete(key)) throw new Error(`Cannot delete ${key} from ${name}: it is not there`)
    for (const [key, element] of added) {
      if (elements.has(key)) throw new Error(`Cannot add ${key} to ${name}: it is there`)
      elements.set(key, element)
    }
    sets.set(name, { ...sets.get(name)!, elements })
  }
  const chains = new Map([...present.chains, ...change.newChains])
  for (const name of change.oldChains) chains.delete(name)
  for (const name of change.oldSets) sets.delete(name)
  return { chains, sets }
}

/** All of a rule set as sorted lines: two are the same when these are. */
export const canonical = ({ chains, sets }: RuleSet): string =>
  [
    ...[...chains].flatMap(([name, { rules }]) => rules.map((rule, i) => `${name} ${i} ${formatRule(rule)}`)),
    ...[...sets].flatMap(([name, { kind, key, elements }]) => [
      `${name} ${kind} ${key.join()}`,
      ...[...elements].map(([text, { target, comment }]) => `${name} ${text} ${target} ${comment}`),
    ]),
  ]
    .sort()
    .join('\n')
