/**
 * Netlink attributes (kernel include/uapi/linux/netlink.h, struct nlattr): length, type, payload, padded to four
 * bytes. All numbers are in host order, which is little-endian on every machine Node is built for here.
 */

/** An attribute: its type, and its payload or the attributes nested in it. */
export type Attr = readonly [type: number, payload: Uint8Array | readonly Attr[]]

const NESTED = 0x8000
const TYPE_MASK = 0x3fff
const align = (length: number): number => (length + 3) & ~3

/** One byte. */
export const u8 = (value: number): Uint8Array => Uint8Array.of(value)
/** Two bytes in host order. */
export const u16 = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer)
/** Four bytes in host order. */
export const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)
/** Eight bytes in host order, of a whole number below 2^64. */
export const u64 = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer)
/** A NUL-terminated string. */
export const text = (value: string): Uint8Array => new TextEncoder().encode(`${value}\0`)

/** Byte strings one after another. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** The bytes of a list of attributes. */
export function encodeAttrs(attrs: readonly Attr[]): Uint8Array {
  return concat(attrs.map(encodeAttr))
}

function encodeAttr([type, payload]: Attr): Uint8Array {
  const isBytes = payload instanceof Uint8Array
  const body = isBytes ? payload : encodeAttrs(payload)
  const bytes = new Uint8Array(align(4 + body.length))
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 4 + body.length, true)
  view.setUint16(2, isBytes ? type : type | NESTED, true)
  bytes.set(body, 4)
  return bytes
}

/** Attributes by type; of a type that comes twice the last counts. Stops at the first that does not fit. */
export function parseAttrs(bytes: Uint8Array): Map<number, Uint8Array> {
  return new Map(attrList(bytes))
}

/** Attributes in their order, repeated types kept. */
export function attrList(bytes: Uint8Array): [type: number, payload: Uint8Array][] {
  const view = viewOf(bytes)
  const attrs: [number, Uint8Array][] = []
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > bytes.length) break
    attrs.push([view.getUint16(at + 2, true) & TYPE_MASK, bytes.subarray(at + 4, at + length)])
    at += align(length)
  }
  return attrs
}

/**
 * Where the payload of the first attribute of a type is in a view: its first byte, and the one behind it. It makes no
 * values of the others, for what is looked into by the thousands.
 */
export function locate(
  view: DataView,
  [start, end]: readonly [number, number],
  type: number,
): readonly [number, number] | undefined {
  for (let at = start; at + 4 <= end;) {
    const length = view.getUint16(at, true)
    if (length < 4 || at + length > end) break
    if ((view.getUint16(at + 2, true) & TYPE_MASK) === type) return [at + 4, at + length]
    at += align(length)
  }
  return undefined
}

/** A view of the same bytes, wherever they lie in their buffer. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Reads a number of one, two or four bytes; undefined when the attribute is absent or of another size. */
export function readNumber(bytes: Uint8Array | undefined): number | undefined {
  if (bytes === undefined) return undefined
  const view = viewOf(bytes)
  if (bytes.length === 1) return view.getUint8(0)
  if (bytes.length === 2) return view.getUint16(0, true)
  return bytes.length === 4 ? view.getUint32(0, true) : undefined
}

/** Reads a NUL-terminated string. */
export function readText(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined
  const end = bytes.indexOf(0)
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end))
}
