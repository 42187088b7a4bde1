import { type Attr, attrList, parseAttrs, readText, text } from './attr.ts'
import { FLAG, type Request } from './message.ts'
import { be32, readBig, tableRequest } from './nfnetlink.ts'

/*
 * Elements of the sets and maps in table `inet podwire` (include/uapi/linux/netfilter/nf_tables.h). A set is a map
 * without values.
 */

const NEW_ELEMENTS = 12
const GET_ELEMENTS = 13
const DELETE_ELEMENTS = 14
/** The table is attribute 1. */
const LIST = { map: 2, elements: 3 } as const
const LIST_ELEMENT = 1
const ELEMENT = { key: 1, data: 2, flags: 3, userdata: 6, expression: 7 } as const
/** NFT_SET_ELEM_INTERVAL_END */
const INTERVAL_END = 1
const DATA = { value: 1, verdict: 2 } as const
const VERDICT = { code: 1, chain: 2 } as const
/** NFT_GOTO, -4 in 32 bits. */
const GOTO = 0xfffffffc
const EXPRESSION = { name: 1, data: 2 } as const
const COUNTER = { packets: 2 } as const
/** The kind of userdata that nft shows as an element's comment (libnftnl, udata.h). */
const COMMENT = 0

/** An attribute's length has 16 bits, and no element of ours takes more than 240 bytes. */
const ELEMENTS_PER_MESSAGE = 256

/** A text as a comment: nft's limit is 128 bytes, and all names here are ASCII. */
export const asComment = (words: string): string => (words.length > 128 ? `${words.slice(0, 125)}...` : words)

/** What an element leads to: another chain, or a value. */
export type ElementData =
  { readonly kind: 'goto'; readonly chain: string } | { readonly kind: 'value'; readonly bytes: Uint8Array }

/** An element as bytes. */
export interface Element {
  readonly key: Uint8Array
  /** Undefined in a set, and for a verdict that is no goto. */
  readonly data: ElementData | undefined
  readonly comment: string | undefined
}

/** An element of a set with `counter`: the kernel gives each its counter, and begins with 0. */
export interface CountedElement {
  readonly key: Uint8Array
  readonly packets: number
}

/** `nft create element inet podwire MAP { ... }`: fails with EEXIST when one of the keys is there. */
export const createElements = (map: string, elements: readonly Element[]): Request[] =>
  listed(NEW_ELEMENTS, FLAG.create | FLAG.exclusive, map, elements)

/** `nft add element inet podwire SET { ... }`: one that is there stays as it is. */
export const addKeys = (set: string, keys: readonly Uint8Array[]): Request[] =>
  listed(NEW_ELEMENTS, FLAG.create, set, keys.map(keyOnly))

/** `nft delete element inet podwire MAP { ... }`: fails with ENOENT when one of the keys is not there. */
export const deleteElements = (map: string, keys: readonly Uint8Array[]): Request[] =>
  listed(DELETE_ELEMENTS, 0, map, keys.map(keyOnly))

const keyOnly = (key: Uint8Array): Element => ({ key, data: undefined, comment: undefined })

/** `nft list map inet podwire MAP`: several messages, each with elements for {@link splitElements}. */
export const dumpElements = (map: string): Request =>
  tableRequest(GET_ELEMENTS, FLAG.dump, [[LIST.map, text(map)]])

/** `nft get element inet podwire MAP { KEY }`: the kernel answers ENOENT when it is not there. */
export const getElement = (map: string, key: Uint8Array): Request =>
  listed(GET_ELEMENTS, 0, map, [keyOnly(key)])[0]!

function listed(command: number, flags: number, map: string, elements: readonly Element[]): Request[] {
  const requests: Request[] = []
  for (let at = 0; at < elements.length; at += ELEMENTS_PER_MESSAGE) {
    const part = elements.slice(at, at + ELEMENTS_PER_MESSAGE)
    const list = part.map((element): Attr => [LIST_ELEMENT, elementAttrs(element)])
    requests.push(
      tableRequest(command, flags, [
        [LIST.map, text(map)],
        [LIST.elements, list],
      ]),
    )
  }
  return requests
}

function elementAttrs({ key, data, comment }: Element): Attr[] {
  return [
    [ELEMENT.key, [[DATA.value, key]]],
    ...(data === undefined ? [] : ([[ELEMENT.data, [dataAttr(data)]]] as const)),
    ...(comment === undefined ? [] : ([[ELEMENT.userdata, commentUserdata(comment)]] as const)),
  ]
}

function dataAttr(data: ElementData): Attr {
  if (data.kind === 'value') return [DATA.value, data.bytes]
  return [
    DATA.verdict,
    [
      [VERDICT.code, be32(GOTO)],
      [VERDICT.chain, text(data.chain)],
    ],
  ]
}

/** A comment, of up to 128 bytes, as nft keeps it: kind, length with the NUL, text. */
function commentUserdata(comment: string): Uint8Array {
  const bytes = text(comment)
  return Uint8Array.of(COMMENT, bytes.length, ...bytes)
}

/** The elements in one message of a dump, each as the bytes for {@link parseElement}. */
export function splitElements(body: Uint8Array): Uint8Array[] {
  const list = parseAttrs(body.subarray(4)).get(LIST.elements)
  return list === undefined ? [] : attrList(list).map(([, bytes]) => bytes)
}

/** An element of a dump; undefined for one without a key. */
export function parseElement(bytes: Uint8Array): Element | undefined {
  const attrs = parseAttrs(bytes)
  const key = nested(attrs, ELEMENT.key).get(DATA.value)
  if (key === undefined) return undefined
  return {
    key,
    data: parseData(nested(attrs, ELEMENT.data)),
    comment: parseComment(attrs.get(ELEMENT.userdata)),
  }
}

/** Whether an element of a set of ranges is the first key behind a range, and not a range's first. */
export const isEndOfRange = (bytes: Uint8Array): boolean =>
  ((readBig(parseAttrs(bytes).get(ELEMENT.flags)) ?? 0) & INTERVAL_END) !== 0

/** An element of a dump with its counter; undefined for one that lacks either. */
export function parseCountedElement(bytes: Uint8Array): CountedElement | undefined {
  const attrs = parseAttrs(bytes)
  const key = nested(attrs, ELEMENT.key).get(DATA.value)
  const expression = nested(attrs, ELEMENT.expression)
  if (key === undefined || readText(expression.get(EXPRESSION.name)) !== 'counter') return undefined
  const packets = readBig(nested(expression, EXPRESSION.data).get(COUNTER.packets))
  return packets === undefined ? undefined : { key, packets }
}

const nested = (attrs: ReadonlyMap<number, Uint8Array>, type: number): Map<number, Uint8Array> =>
  parseAttrs(attrs.get(type) ?? new Uint8Array())

function parseData(attrs: ReadonlyMap<number, Uint8Array>): ElementData | undefined {
  const bytes = attrs.get(DATA.value)
  if (bytes !== undefined) return { kind: 'value', bytes }
  const verdict = nested(attrs, DATA.verdict)
  const chain = readText(verdict.get(VERDICT.chain))
  return chain !== undefined && readBig(verdict.get(VERDICT.code)) === GOTO
    ? { kind: 'goto', chain }
    : undefined
}

/** The comment in the userdata of an element or a rule, which may hold other things as well. */
export function parseComment(userdata: Uint8Array | undefined): string | undefined {
  for (let rest = userdata ?? new Uint8Array(); rest.length >= 2; rest = rest.subarray(2 + rest[1]!)) {
    if (rest[0] === COMMENT) return readText(rest.subarray(2, 2 + rest[1]!))
  }
  return undefined
}
