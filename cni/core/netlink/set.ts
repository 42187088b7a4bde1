import { parseAttrs, readText } from './attr.ts'
import { FLAG, type Request } from './message.ts'
import { readBig, tableRequest } from './nfnetlink.ts'

/* Sets and maps of table `inet podwire` themselves (include/uapi/linux/netfilter/nf_tables.h). */

const GET_SETS = 10
const SET = { name: 2, flags: 3, keyType: 4 } as const
/** NFT_SET_INTERVAL: its elements are ranges. */
const INTERVAL = 0x4

/** The types of a key's parts are numbers of nft's (include/datatype.h), of six bits each, the last part's lowest. */
const BITS = 6
const ADDRESSES = new Map([
  [7, 4],
  [8, 6],
] as const)

/** A set or map, as far as it matters here. */
export interface SetShape {
  readonly name: string
  /** The family of the addresses that its keys begin with; undefined when they begin with something else. */
  readonly version: 4 | 6 | undefined
  /** Of how many parts its keys are. */
  readonly parts: number
  readonly isOfRanges: boolean
}

/** `nft list sets` and `nft list maps`, without what is in them. */
export const dumpSets = (): Request => tableRequest(GET_SETS, FLAG.dump, [])

/** The set in one message of a dump. */
export function parseSet(body: Uint8Array): SetShape {
  const attrs = parseAttrs(body.subarray(4))
  const types: number[] = []
  for (let rest = readBig(attrs.get(SET.keyType)) ?? 0; rest > 0; rest >>>= BITS)
    types.unshift(rest & ((1 << BITS) - 1))
  return {
    name: readText(attrs.get(SET.name)) ?? '',
    version: ADDRESSES.get(types[0] as 7 | 8),
    parts: types.length,
    isOfRanges: ((readBig(attrs.get(SET.flags)) ?? 0) & INTERVAL) !== 0,
  }
}
