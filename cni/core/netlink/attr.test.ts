import fc from 'fast-check'
import t from 'tap'
import { joined } from '../../../test/support/netlink.ts'
import {
  type Attr,
  attrList,
  concat,
  encodeAttrs,
  locate,
  parseAttrs,
  readNumber,
  readText,
  text,
  u16,
  u32,
  u64,
  u8,
  viewOf,
} from './attr.ts'

const flat = fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 40 }))
const hex = (bytes: Uint8Array): string => bytes.toHex()

t.test('encodeAttrs() writes length, type and payload, padded to four bytes', t => {
  t.equal(hex(encodeAttrs([[3, text('cbr0')]])), joined('09000300 63627230 00000000'))
  t.equal(hex(encodeAttrs([[4, u32(1400)]])), joined('08000400 78050000'))
  t.equal(
    hex(
      encodeAttrs([
        [1, u8(255)],
        [2, u16(4094)],
      ]),
    ),
    joined('05000100 ff000000 06000200 fe0f0000'),
  )
  t.equal(hex(encodeAttrs([])), '')
  t.end()
})

t.test('encodeAttrs() marks attributes that hold others (NLA_F_NESTED)', t => {
  t.equal(hex(encodeAttrs([[12, [[4, u8(1)]]]])), joined('0c000c80 05000400 01000000'))
  t.equal(hex(encodeAttrs([[12, []]])), '04000c80')
  t.end()
})

t.test('attrList() reads back what encodeAttrs() wrote', t => {
  fc.assert(
    fc.property(fc.array(flat), attrs => {
      t.strictSame(attrList(encodeAttrs(attrs)), attrs)
    }),
  )
  t.end()
})

t.test('attrList() reads nested attributes one level at a time', t => {
  const tree = fc.tuple(fc.nat(0x3fff), fc.array(flat))
  fc.assert(
    fc.property(fc.array(tree), attrs => {
      const read = attrList(encodeAttrs(attrs as Attr[])).map(([type, payload]) => [type, attrList(payload)])
      t.strictSame(read, attrs)
    }),
  )
  t.end()
})

t.test('parseAttrs() takes the last of a type', t => {
  t.same(
    parseAttrs(
      encodeAttrs([
        [1, u8(1)],
        [1, u8(2)],
      ]),
    ),
    new Map([[1, u8(2)]]),
  )
  t.end()
})

t.test('attrList() never reads past the bytes, whatever they are', t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), (bytes, offset) => {
      const inner = bytes.subarray(Math.min(offset, bytes.length))
      const end = inner.byteOffset + inner.length
      return attrList(inner).every(([, payload]) => payload.byteOffset + payload.length <= end)
    }),
  )
  t.end()
})

t.test('attrList() stops at an attribute that is cut off or has no room for its own header', t => {
  const whole = encodeAttrs([
    [1, u32(1)],
    [2, u32(2)],
  ])
  t.equal(attrList(whole.subarray(0, 15)).length, 1)
  t.equal(attrList(Uint8Array.of(3, 0, 1, 0, 8, 0, 2, 0)).length, 0)
  t.equal(attrList(Uint8Array.of(0, 0, 0, 0)).length, 0)
  t.end()
})

t.test('locate() finds the first of a type where attrList() does, whatever the bytes are', t => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.array(fc.tuple(fc.nat(4), fc.uint8Array({ maxLength: 8 }))).map(encodeAttrs),
  )
  fc.assert(
    fc.property(bytes, fc.nat(4), (bytes, type) => {
      const found = locate(viewOf(bytes), [0, bytes.length], type)
      const listed = attrList(bytes).find(each => each[0] === type)?.[1]
      t.same(found && bytes.subarray(...found), listed)
    }),
  )
  const two = encodeAttrs([
    [1, u8(1)],
    [2, u8(2)],
  ])
  t.same(locate(viewOf(two), [8, 16], 2), [12, 13])
  t.equal(locate(viewOf(two), [8, 16], 1), undefined, 'before the start')
  t.equal(locate(viewOf(two), [0, 8], 2), undefined, 'behind the end')
  t.end()
})

t.test('readNumber() reads one, two or four bytes', t => {
  t.equal(readNumber(u8(255)), 255)
  t.equal(readNumber(u16(0xfffe)), 0xfffe)
  t.equal(readNumber(u32(0xfffffffe)), 0xfffffffe)
  t.equal(readNumber(undefined), undefined)
  for (const length of [0, 3, 8]) t.equal(readNumber(new Uint8Array(length)), undefined, `${length} bytes`)
  t.end()
})

t.test('u64() takes numbers that u32() does not', t => {
  t.equal(u64(1).toHex(), '0100000000000000')
  t.equal(u64(2 ** 61).toHex(), '0000000000000020')
  t.end()
})

t.test('readText() ends at a NUL, or at the end', t => {
  t.equal(readText(text('eth0')), 'eth0')
  t.equal(readText(Uint8Array.of(0x61, 0, 0x62)), 'a')
  t.equal(readText(Uint8Array.of(0x61, 0x62)), 'ab')
  t.equal(readText(undefined), undefined)
  t.end()
})

t.test('concat() puts byte strings one after another', t => {
  t.same(concat([u8(1), new Uint8Array(), u16(2)]), Uint8Array.of(1, 2, 0))
  t.same(concat([]), new Uint8Array())
  t.end()
})
