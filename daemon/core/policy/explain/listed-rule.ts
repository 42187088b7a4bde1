import { formatIp } from '../../../../ipam/core/ip.ts'
import type { Packet } from '../evaluate.ts'
import { at, list, text } from '../json.ts'

/*
 * Rules as `nft -j list chain` shows them (libnftables-json(5)), carried out on the first packet of a connection. nft
 * says some things in other words than our scripts, and every version in its own; what is not understood here is said
 * to be unclear, and never guessed.
 */

/** The packet, and whether a process of the very node sends it that has the rules. */
export interface Passing {
  readonly packet: Packet
  readonly isOwn: boolean
}

/** What one match comes to; for a set somebody has to ask the kernel. */
export type Met =
  | { readonly kind: 'yes' | 'no' | 'unclear' }
  | { readonly kind: 'ask'; readonly set: string; readonly key: string }

/** Where a rule sends a packet that meets all its matches. */
export type ListedVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' | 'none' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  /** Where the map leads; `key` is undefined for a packet that has no such thing. */
  | { readonly kind: 'vmap'; readonly map: string; readonly key: string | undefined }

/** One rule, for one packet. */
export interface ListedRule {
  readonly matches: readonly Met[]
  readonly verdict: ListedVerdict
}

/** The rules of a listing of one chain. */
export const readRules = (listing: unknown, passing: Passing): ListedRule[] =>
  list(at(listing, 'nftables'))
    .map(item => at(item, 'rule'))
    .filter(rule => rule !== undefined)
    .map(rule => readRule(list(at(rule, 'expr')), passing))

const readRule = (statements: readonly unknown[], passing: Passing): ListedRule => ({
  matches: statements.flatMap(each => {
    const match = at(each, 'match')
    return match === undefined ? [] : [readMatch(match, passing)]
  }),
  verdict: statements.map(each => readVerdict(each, passing)).find(({ kind }) => kind !== 'none') ?? {
    kind: 'none',
  },
})

function readVerdict(statement: unknown, passing: Passing): ListedVerdict {
  const kinds = Object.keys(statement as object)
  for (const kind of ['accept', 'drop', 'return'] as const) if (kinds.includes(kind)) return { kind }
  for (const kind of ['jump', 'goto'] as const)
    if (kinds.includes(kind)) return { kind, chain: text(at(at(statement, kind), 'target')) }
  const vmap = at(statement, 'vmap')
  if (vmap === undefined) return { kind: 'none' }
  const value = valueOf(at(vmap, 'key'), passing)
  const key = typeof value === 'string' ? value : undefined
  return { kind: 'vmap', map: text(at(vmap, 'data')).slice(1), key }
}

function readMatch(match: unknown, passing: Passing): Met {
  const [op, right] = [at(match, 'op'), at(match, 'right')]
  const value = valueOf(at(match, 'left'), passing)
  if (value === ABSENT) return { kind: 'no' }
  if (value === undefined || (op !== '==' && op !== '!=' && op !== 'in')) return { kind: 'unclear' }
  if (typeof right === 'string' && right.startsWith('@'))
    return op === '!=' ? { kind: 'unclear' } : { kind: 'ask', set: right.slice(1), key: value }
  return { kind: isAmong(value, right) === (op !== '!=') ? 'yes' : 'no' }
}

/** What a packet of this kind does not have: a port, an address of the other family. */
const ABSENT = Symbol('absent')

/** What an expression comes to, as nft writes it; undefined when it is not understood. */
function valueOf(expression: unknown, passing: Passing): string | typeof ABSENT | undefined {
  const payload = at(expression, 'payload')
  if (payload !== undefined) return payloadOf(payload, passing)
  const parts = at(expression, 'concat')
  if (parts === undefined) return otherOf(expression, passing)
  const values = list(parts).map(part => valueOf(part, passing))
  if (values.includes(ABSENT)) return ABSENT
  return values.includes(undefined) ? undefined : values.map(String).join(' . ')
}

function payloadOf(payload: unknown, { packet }: Passing): string | typeof ABSENT | undefined {
  const { source, destination } = packet
  const [protocol, field] = [text(at(payload, 'protocol')), text(at(payload, 'field'))]
  if (protocol === '') return isChunk(payload) && packet.protocol === 'sctp' ? INIT : undefined
  if (protocol === 'ip' || protocol === 'ip6') {
    if (protocol !== source.family.word) return ABSENT
    return { saddr: formatIp(source), daddr: formatIp(destination) }[field]
  }
  if (protocol !== 'th' && protocol !== packet.protocol) return ABSENT
  // Only who answers is asked from which port, and this is nobody's answer.
  if (field === 'sport') return ABSENT
  return field === 'dport' ? String(packet.port) : undefined
}

/** The type of the first chunk, which is all that base.ts asks for by its place (RFC 9260, 3.2). */
const isChunk = (payload: unknown): boolean =>
  at(payload, 'base') === 'th' && at(payload, 'offset') === 96 && at(payload, 'len') === 8
const INIT = '1'

/** Of the first packet of a connection: it is new, and of TCP a SYN and nothing else. */
function otherOf(expression: unknown, { packet, isOwn }: Passing): string | typeof ABSENT | undefined {
  const meta = text(at(at(expression, 'meta'), 'key'))
  if (meta === 'l4proto') return packet.protocol
  if (meta === 'nfproto') return `ipv${packet.source.family.version}`
  // Interface 0 is none: what is made here came in by no other.
  if (meta === 'iif') return isOwn ? '0' : 'another'
  if (text(at(at(expression, 'ct'), 'key')) === 'state') return 'new'
  const fib = at(expression, 'fib')
  if (text(at(fib, 'result')) === 'type' && list(at(fib, 'flags')).join() === 'saddr')
    return isOwn ? 'local' : 'unicast'
  const [masked] = list(at(expression, '&'))
  if (text(at(at(masked, 'payload'), 'field')) === 'flags') return packet.protocol === 'tcp' ? 'syn' : ABSENT
  return undefined
}

function isAmong(value: string, right: unknown): boolean {
  const options = Array.isArray(right) ? (right as unknown[]) : list(at(right, 'set'))
  if (options.length > 0) return options.some(each => isAmong(value, each))
  const [first, last] = list(at(right, 'range')).map(Number)
  if (first === undefined || last === undefined) return String(right) === value
  return first <= Number(value) && Number(value) <= last
}
