import { formatCidr } from '../../../ipam/core/ip.ts'
import { BRIDGE } from '../conflist.ts'
import {
  type Chain,
  type Element,
  type Elements,
  LOG_GROUP,
  type Match,
  type NftSet,
  type Rule,
  TABLE,
  type Verdict,
} from './rule-set.ts'

/** `add set` or `add map`, with nothing in it. */
export function addSet(name: string, { kind, key }: NftSet): string {
  const type = key.join(' . ')
  switch (kind) {
    case 'map':
      return `add map ${TABLE} ${name} { type ${type} : verdict; }`
    case 'set':
      return `add set ${TABLE} ${name} { type ${type}; }`
    case 'counters':
      return `add set ${TABLE} ${name} { type ${type}; counter; }`
    case 'ranges':
      return `add set ${TABLE} ${name} { type ${type}; flags interval; }`
    case 'expiring':
      return `add set ${TABLE} ${name} { type ${type}; flags timeout; timeout 30s; }`
  }
}

export const addElements = (name: string, elements: Elements): string[] =>
  element('add', name, [...elements].map(formatElement))

/** Fails where one of the keys is not there. */
export const deleteElements = (name: string, keys: Iterable<string>): string[] =>
  element('delete', name, [...keys])

/** An empty list would be a syntax error. */
const element = (verb: 'add' | 'delete', name: string, items: readonly string[]): string[] =>
  items.length === 0 ? [] : [`${verb} element ${TABLE} ${name} { ${items.join(', ')} }`]

const formatElement = ([key, { target, comment }]: readonly [string, Element]): string =>
  `${key}${formatComment(comment)}${target === undefined ? '' : ` : goto ${target}`}`

export const addChain = (name: string, { hook }: Chain): string =>
  `add chain ${TABLE} ${name}${hook === undefined ? '' : ` { ${hook} }`}`

export const addRules = (name: string, { rules }: Chain): string[] =>
  rules.map(rule => `add rule ${TABLE} ${name} ${formatRule(rule)}`)

/** A rule as nft reads it. */
export const formatRule = ({ matches, counts, verdict, comment }: Rule): string =>
  [...matches.map(formatMatch), ...(counts ? ['counter'] : []), formatVerdict(verdict)].join(' ') +
  formatComment(comment)

const formatComment = (comment: string | undefined): string =>
  comment === undefined ? '' : ` comment "${comment}"`

/** Genuine discovery is of this link, which is what its hop limit says (RFC 4861, 7.1): what was routed has less. */
const DISCOVERY =
  'ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect }'

/**
 * A connection begins with a SYN alone of these flags (RFC 9293, 3.5), an association with the chunk INIT alone, whose
 * type, 1, is the first byte after the header's twelve (RFC 9260, 3.3.2).
 */
const MIDSTREAM = {
  tcp: 'meta l4proto tcp tcp flags & (fin | syn | rst | ack) != syn',
  sctp: 'meta l4proto sctp @th,96,8 != 1',
}

function formatMatch(match: Match): string {
  switch (match.kind) {
    case 'established':
      return 'ct state established,related'
    case 'discovery':
      return DISCOVERY
    case 'own-node':
      // The address alone would do for IPv4; with IPv6 the kernel lets others send from it. What is made here came in by no
      // interface; what is bridged neither, but that has met the next match before.
      return 'iif 0 fib saddr type local'
    case 'from-pods':
      return `iifname "${BRIDGE}"`
    case 'link-scope':
      return 'ip6 saddr { ::, fe80::/10 }'
    case 'sender':
      return `${match.family === undefined ? '' : `${match.family.word} saddr . `}ether saddr @${match.set}`
    case 'as-node':
      return `iifname "${BRIDGE}" fib saddr type local`
    case 'bridged': {
      const { side, network } = match
      // What was routed came in by an interface, whatever bridge it came from.
      return `iif 0 oifname "${BRIDGE}" ${network.ip.family.word} ${side} ${formatCidr(network)}`
    }
    case 'midstream':
      return MIDSTREAM[match.protocol]
    case 'udp-way': {
      const { word } = match.family
      return `${word} saddr . udp sport . ${word} daddr . udp dport @${match.set}`
    }
    case 'set': {
      const { word } = match.family
      const parts = match.parts.map(part =>
        part === 'l4proto' ? 'meta l4proto' : part === 'dport' ? 'th dport' : `${word} ${part}`,
      )
      return `${parts.join(' . ')} @${match.set}`
    }
    case 'ports':
      return `meta l4proto ${match.protocol}${formatPorts(match.ranges)}`
  }
}

function formatPorts(ranges: Extract<Match, { kind: 'ports' }>['ranges']): string {
  if (ranges.some(([first, last]) => first === 0 && last === 65535)) return ''
  const texts = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
  return ` th dport ${texts.length === 1 ? texts[0] : `{ ${texts.join(', ')} }`}`
}

function formatVerdict(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return verdict.kind
    case 'jump':
    case 'goto':
      return `${verdict.kind} ${verdict.chain}`
    case 'vmap':
      return `${verdict.family.word} ${verdict.side} vmap @${verdict.map}`
    case 'log':
      return `limit rate 10/second burst 20 packets log prefix "${verdict.prefix}" group ${LOG_GROUP}`
  }
}
