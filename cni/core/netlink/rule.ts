import { parseAttrs, readText, text } from './attr.ts'
import { parseComment } from './element.ts'
import { FLAG, type Request } from './message.ts'
import { readBig, tableRequest } from './nfnetlink.ts'

/*
 * Chains and rules of table `inet podwire` (include/uapi/linux/netfilter/nf_tables.h). Rules are only looked at and
 * removed here: making them is nft's work.
 */

const GET_CHAIN = 4
const DELETE_CHAIN = 5
const GET_RULE = 7
const DELETE_RULE = 8
/** The table is attribute 1. */
const RULE = { chain: 2, userdata: 7 } as const
const CHAIN = { table: 1, name: 3, hook: 4, use: 6 } as const

/** A rule, as far as it matters here. */
export interface Rule {
  readonly chain: string
  readonly comment: string | undefined
}

/** A chain, as far as it matters here. */
export interface Chain {
  readonly name: string
  /** Whether packets come to it from a hook. */
  readonly isBase: boolean
}

/** `nft list chains inet`, without their rules: the kernel does not choose by table. */
export const dumpChains = (): Request => tableRequest(GET_CHAIN, FLAG.dump, [])

/** The chain in one message of a dump; undefined for one of another table. */
export function parseChain(body: Uint8Array): Chain | undefined {
  const attrs = parseAttrs(body.subarray(4))
  const name = readText(attrs.get(CHAIN.name))
  return name !== undefined && readText(attrs.get(CHAIN.table)) === 'podwire'
    ? { name, isBase: attrs.has(CHAIN.hook) }
    : undefined
}

/** `nft list chain inet podwire CHAIN`, or the whole table: a message for each rule, none when there is no such chain. */
export const dumpRules = (chain?: string): Request =>
  tableRequest(GET_RULE, FLAG.dump, chain === undefined ? [] : [[RULE.chain, text(chain)]])

/** The rule in one message of a dump. */
export function parseRule(body: Uint8Array): Rule {
  const attrs = parseAttrs(body.subarray(4))
  return { chain: readText(attrs.get(RULE.chain)) ?? '', comment: parseComment(attrs.get(RULE.userdata)) }
}

/** Asks for a chain itself; the kernel answers ENOENT when there is none. */
export const getChain = (chain: string): Request => tableRequest(GET_CHAIN, 0, [[CHAIN.name, text(chain)]])

/** How many rules a chain has, and rules and elements that lead to it, taken together. */
export const parseChainUse = (body: Uint8Array): number =>
  readBig(parseAttrs(body.subarray(4)).get(CHAIN.use)) ?? 0

/** `nft flush chain` and `nft delete chain`: refused with EBUSY as long as something leads to it. */
export const removeChain = (chain: string): Request[] => [
  tableRequest(DELETE_RULE, 0, [[RULE.chain, text(chain)]]),
  tableRequest(DELETE_CHAIN, 0, [[CHAIN.name, text(chain)]]),
]
