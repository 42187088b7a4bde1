import { formatCidr, formatIp, parseCidr, parseIp } from '../../ipam/core/ip.ts'
import { enumerate } from './enumerate.ts'
import {
  CHAIN,
  type MasqueradeWish,
  type Present,
  rulesOf,
  SETS,
  type SetShape,
  setsOf,
} from './masquerade.ts'

/** One entry of `nft -j list table`: an object with one key, the kind. */
interface Item {
  readonly chain?: {
    readonly name?: unknown
    readonly type?: unknown
    readonly hook?: unknown
    readonly prio?: unknown
    readonly policy?: unknown
  }
  readonly rule?: { readonly chain?: unknown; readonly comment?: string }
  readonly set?: ListedSet
}

interface ListedSet {
  readonly name?: unknown
  readonly type?: unknown
  /** A list; from nft 1.1.4 on the word itself where there is one. */
  readonly flags?: string | readonly string[]
  readonly size?: unknown
  readonly timeout?: unknown
  readonly elem?: readonly unknown[]
}

/**
 * What of the daemon's is in the table, as `nft -j list table inet podwire` shows it; undefined stands for a table
 * that is not there. The rest of the table is somebody else's.
 */
export function parsePresent(listing: unknown): Present {
  const items = ((listing as { nftables?: unknown } | undefined)?.nftables ?? []) as readonly Item[]
  const chain = items.find(item => item.chain?.name === CHAIN)?.chain
  return {
    chain: chain === undefined ? 'missing' : isRightChain(chain) ? 'right' : 'other',
    rules: items.flatMap(({ rule }) => (rule?.chain === CHAIN ? [rule.comment ?? ''] : [])),
    sets: new Map(
      items.flatMap(({ set }) => {
        const shape = SETS.find(({ name }) => name === set?.name)
        return set === undefined || shape === undefined ? [] : [[shape.name, present(set, shape)]]
      }),
    ),
  }
}

/** 100 is what the word `srcnat` stands for. */
const isRightChain = ({ type, hook, prio, policy }: NonNullable<Item['chain']>): boolean =>
  type === 'nat' && hook === 'postrouting' && prio === 100 && policy === 'accept'

function present(set: ListedSet, shape: SetShape) {
  const { type, flags, size, timeout, elem = [] } = set
  const isRight =
    type === shape.type &&
    String(flags ?? '') === (shape.interval ? 'interval' : '') &&
    size === undefined &&
    timeout === undefined
  return { kind: isRight ? ('right' as const) : ('other' as const), elements: elem.map(elementText) }
}

interface ListedElement {
  readonly prefix?: { readonly addr: string; readonly len: number }
  /** An element with a comment or a counter. */
  readonly elem?: { readonly val?: unknown }
}

function elementText(element: unknown): string {
  if (typeof element === 'string') return element
  const { prefix, elem } = element as ListedElement
  if (elem !== undefined) return elementText(elem.val)
  return prefix === undefined ? JSON.stringify(element) : `${prefix.addr}/${prefix.len}`
}

/** What of the daemon's part differs from the wish, in words; empty when it is all there and no more. */
export function differences(wish: MasqueradeWish, found: Present): string[] {
  return [...chainDifferences(wish, found), ...setDifferences(wish, found)]
}

function chainDifferences(wish: MasqueradeWish, { chain, rules }: Present): string[] {
  if (chain === 'missing') return [`chain ${CHAIN} is missing`]
  if (chain === 'other') return [`chain ${CHAIN} is of another kind`]
  const surplus = [...rules]
  const missing = rulesOf(wish).filter(({ comment }) => {
    const at = surplus.indexOf(comment)
    if (at >= 0) surplus.splice(at, 1)
    return at < 0
  })
  return [
    ...missing.map(({ podCidr }) => `chain ${CHAIN} lacks the rule for ${podCidr}`),
    ...(surplus.length > 0 ? [`chain ${CHAIN} has surplus rules (${surplus.length})`] : []),
  ]
}

function setDifferences(wish: MasqueradeWish, { sets }: Present): string[] {
  const contents = setsOf(wish)
  return SETS.flatMap(shape => {
    const { name } = shape
    const found = sets.get(name)
    if (found === undefined) return [`set ${name} is missing`]
    if (found.kind === 'other') return [`set ${name} is of another kind`]
    const wanted = contents.get(name)!
    const there = new Set(found.elements.map(text => (wanted.has(text) ? text : canonical(text, shape))))
    const missing = [...wanted.keys()].filter(text => !there.has(text))
    const surplus = [...there].filter(text => !wanted.has(text))
    return [
      ...(missing.length > 0 ? [`set ${name} lacks ${enumerate(missing)}`] : []),
      ...(surplus.length > 0 ? [`set ${name} has ${enumerate(surplus)} too`] : []),
    ]
  })
}

/** An element in our spelling: nft writes a network of one address without its prefix, and `::1.2.3.4` its own way. */
function canonical(text: string, { interval, family }: SetShape): string {
  const ip = parseIp(text)
  if (ip !== undefined) return interval ? formatCidr({ ip, prefix: family.bits }) : formatIp(ip)
  const cidr = parseCidr(text)
  return cidr === undefined ? text : formatCidr(cidr)
}
