/** A message by field numbers: texts, numbers, messages, and lists of these for fields that repeat. */
export interface Fields {
  readonly [field: number]: Value | readonly Value[]
}
type Value = string | number | Fields

const VARINT = 0
const LENGTH_PREFIXED = 2

/** Writes a message in the protocol buffers wire format. */
export function encode(fields: Fields): Buffer {
  return Buffer.concat(
    Object.entries(fields).flatMap(([field, value]) => {
      const values: readonly Value[] = Array.isArray(value) ? value : [value]
      return values.map(one => encodeField(Number(field), one))
    }),
  )
}

function encodeField(field: number, value: Value): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint((field << 3) | VARINT), varint(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value) : encode(value)
  return Buffer.concat([varint((field << 3) | LENGTH_PREFIXED), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes = []
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80)
  return Buffer.from([...bytes, value])
}

/** A message that is read field by field. */
export class Message {
  readonly #fields = new Map<number, (Buffer | number)[]>()

  constructor(bytes: Buffer) {
    let at = 0
    const number = (): number => {
      let value = 0
      for (let factor = 1; ; factor *= 128) {
        const byte = bytes[at++] ?? 0
        value += (byte & 0x7f) * factor
        if (byte < 0x80) return value
      }
    }
    while (at < bytes.length) {
      const tag = number()
      const size = number()
      const isNumber = (tag & 7) === VARINT
      const values = this.#fields.getOrInsert(tag >> 3, [])
      values.push(isNumber ? size : bytes.subarray(at, at + size))
      if (!isNumber) at += size
    }
  }

  /** The first of a field's texts, or an empty one. */
  text = (field: number): string => String(this.#fields.get(field)?.[0] ?? '')
  number = (field: number): number => Number(this.#fields.get(field)?.[0] ?? 0)
  messages = (field: number): Message[] =>
    (this.#fields.get(field) ?? []).map(value => new Message(value as Buffer))
  /** The first of a field's messages, or an empty one. */
  message = (field: number): Message => this.messages(field)[0] ?? new Message(Buffer.alloc(0))
}
