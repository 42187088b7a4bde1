import fc from 'fast-check'
import t from 'tap'
import { type Mac, macBytes, macFromBytes, parseMac } from './mac.ts'

t.test('parseMac() reads colons or dashes, in either case', t => {
  for (const text of ['02:ab:cd:ef:01:23', '02:AB:CD:EF:01:23', '02-ab-cd-ef-01-23'])
    t.equal(parseMac(text), '02:ab:cd:ef:01:23', text)
  t.end()
})

t.test('parseMac() refuses what no interface can have', t => {
  for (const text of [
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:01:02',
    '2:0:0:0:0:1',
    '020000000001',
    '02:00:00:00:00:0g',
    ' 02:00:00:00:00:01',
    '02:00:00:00:00:01\n',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
  ])
    t.equal(parseMac(text), undefined, JSON.stringify(text))
  t.end()
})

t.test('macFromBytes() is the reverse of macBytes()', t => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), bytes =>
      macBytes(macFromBytes(bytes)).every((byte, i) => byte === bytes[i]),
    ),
  )
  t.same(macBytes('02:00:00:00:00:ff' as Mac), Uint8Array.of(2, 0, 0, 0, 0, 255))
  t.end()
})
