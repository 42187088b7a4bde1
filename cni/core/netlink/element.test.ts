import fc from 'fast-check'
import t from 'tap'
import { ip } from '../../../test/support/result.ts'
import { joined, reply, request } from '../../../test/support/netlink.ts'
import { type Attr, encodeAttrs, parseAttrs, readText, text } from './attr.ts'
import {
  createElements,
  deleteElements,
  dumpElements,
  type Element,
  type ElementData,
  getElement,
  isEndOfRange,
  parseComment,
  parseCountedElement,
  parseElement,
  splitElements,
} from './element.ts'
import { addressField, encodeFields, portField, protocolField } from './field.ts'
import { encodeRequest, FLAG, type Request, splitReplies } from './message.ts'

const comment = 'pods vethd72e032fedd'
const pod = { 4: addressField(ip('10.1.0.5')), 6: addressField(ip('fd00::5')) }
const goto = (chain: string): ElementData => ({ kind: 'goto', chain })

/** What nft was told to create, of one element each: test/golden/netlink.json. */
const ELEMENTS: Readonly<Record<string, Element>> = {
  masquerade4: { key: encodeFields([pod[4]]), data: goto('leaving-10.1.0.0/24'), comment },
  masquerade6: { key: encodeFields([pod[6]]), data: goto('leaving-fd00__/64'), comment },
  hostports4: {
    key: encodeFields([protocolField('tcp'), portField(8080)]),
    data: { kind: 'value', bytes: encodeFields([pod[4], portField(80)]) },
    comment,
  },
  'hostip-hostports6': {
    key: encodeFields([addressField(ip('fd00::1')), protocolField('udp'), portField(53)]),
    data: { kind: 'value', bytes: encodeFields([pod[6], portField(5353)]) },
    comment,
  },
  hairpin4: { key: encodeFields([pod[4], pod[4]]), data: undefined, comment },
}

/** A message's type, flags, map, and elements as bytes. */
const parts = (message: Uint8Array) => {
  const { type, flags, body } = splitReplies(message)[0]!
  const attrs = parseAttrs(body.subarray(4))
  const [table, map] = [attrs.get(1), attrs.get(2)].map(readText)
  return { type, flags, family: body.slice(0, 4).toHex(), table, map, elements: attrs.get(3)?.toHex() }
}
const partsOf = (sent: Request) => parts(encodeRequest(sent, 1))
const elementsOf = (body: Uint8Array): Element[] =>
  splitElements(body).flatMap(bytes => parseElement(bytes) ?? [])
const bodyOf = (sent: Request): Uint8Array => splitReplies(encodeRequest(sent, 1))[0]!.body

t.test('createElements() says what nft says', t => {
  for (const [map, element] of Object.entries(ELEMENTS)) {
    const [sent, ...more] = createElements(map, [element])
    t.same(partsOf(sent!), parts(request(`nft create element inet podwire ${map}`)), map)
    t.same(more, [])
  }
  t.end()
})

t.test('deleteElements() names keys alone', t => {
  const keys = Object.values(ELEMENTS).map(({ key }) => key)
  const [sent] = deleteElements('hostports4', keys)
  t.match(partsOf(sent!), { type: 0xa0e, flags: FLAG.request, table: 'podwire', map: 'hostports4' })
  t.same(
    elementsOf(bodyOf(sent!)),
    keys.map(key => ({ key, data: undefined, comment: undefined })),
  )
  t.end()
})

t.test('many elements make several messages, and none makes none', t => {
  const elements = Array.from({ length: 600 }, (_, i) => ({
    ...ELEMENTS['hostip-hostports6']!,
    key: encodeFields([addressField(ip('fd00::1')), protocolField('udp'), portField(i)]),
    comment: 'x'.repeat(127),
  }))
  const sent = createElements('hostip-hostports6', elements)
  t.equal(sent.length, 3)
  t.same(
    sent.flatMap(message => elementsOf(bodyOf(message))),
    elements,
  )
  t.same(createElements('hostip-hostports6', []), [])
  t.end()
})

t.test('dumpElements() asks for one map', t => {
  t.equal(
    encodeRequest(dumpElements('masquerade4'), 1).toHex(),
    joined(
      '300000000d0a01030100000000000000 01000000 0c000100706f647769726500 100002006d6173717565726164653400',
    ),
  )
  t.end()
})

t.test('getElement() asks for one element alone', t => {
  const key = Uint8Array.of(10, 1, 0, 5)
  const asked = getElement('masquerade4', key)
  t.match(asked, { type: 0xa0d, flags: 0 })
  t.same(elementsOf(bodyOf(asked)), [{ key, data: undefined, comment: undefined }])
  t.end()
})

t.test('splitElements() and parseElement() read what the kernel answers to nft', t => {
  const listed = (map: string) => elementsOf(splitReplies(reply(`nft list map inet podwire ${map}`))[0]!.body)
  t.same(listed('hostports4'), [ELEMENTS['hostports4']])
  const [accepting, commented, ours] = listed('masquerade4')
  t.same(accepting, { key: Uint8Array.of(192, 0, 2, 1), data: undefined, comment: undefined })
  t.same(commented, { key: Uint8Array.of(192, 0, 2, 2), data: undefined, comment: 'uplink' })
  t.same(ours, ELEMENTS['masquerade4'])
  t.end()
})

t.test('splitElements() and parseElement() pass over what they cannot read', t => {
  t.same(splitElements(new Uint8Array(4)), [], 'the message at the end of a dump has no elements')
  t.equal(parseElement(new Uint8Array()), undefined, 'an element without a key')
  t.end()
})

/** An element with these attributes beside its key, as the kernel lists it. */
const listed = (...attrs: readonly Attr[]): Uint8Array =>
  encodeAttrs([[1, [[1, Uint8Array.of(10, 1, 0, 5)]]], ...attrs])
const expression = (name: string, data: readonly Attr[]): Attr => [
  7,
  [
    [1, text(name)],
    [2, data],
  ],
]
const PACKETS: Attr = [2, Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2)]

t.test('parseCountedElement() reads a key and its counter', t => {
  const bytes: Attr = [1, Uint8Array.of(0, 0, 0, 0, 0, 0, 9, 9)]
  t.same(parseCountedElement(listed(expression('counter', [bytes, PACKETS]))), {
    key: Uint8Array.of(10, 1, 0, 5),
    packets: 258,
  })
  t.equal(parseCountedElement(listed()), undefined, 'no counter')
  t.equal(parseCountedElement(listed(expression('limit', [PACKETS]))), undefined, 'something else')
  t.equal(parseCountedElement(listed(expression('counter', []))), undefined, 'a counter without a number')
  const keyless = encodeAttrs([expression('counter', [PACKETS])])
  t.equal(parseCountedElement(keyless), undefined, 'no key')
  t.end()
})

t.test('isEndOfRange() tells the two ends of a range apart', t => {
  t.equal(isEndOfRange(listed()), false)
  t.equal(isEndOfRange(listed([3, Uint8Array.of(0, 0, 0, 0)])), false)
  t.equal(isEndOfRange(listed([3, Uint8Array.of(0, 0, 0, 1)])), true)
  t.end()
})

t.test('parseComment() finds the comment among other userdata', t => {
  const bytes = (...parts: (number | string)[]) =>
    Uint8Array.from(
      parts.flatMap(part => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])),
    )
  t.equal(parseComment(bytes(1, 2, 'ab', 0, 4, 'abc\0')), 'abc')
  t.equal(parseComment(bytes(1, 2, 'ab')), undefined)
  t.equal(parseComment(bytes(0)), undefined)
  t.equal(parseComment(undefined), undefined)
  t.end()
})

const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })
const arbitraryElement: fc.Arbitrary<Element> = fc.record(
  {
    key: bytes,
    data: fc.oneof(
      fc.constant(undefined),
      fc.stringMatching(/^[a-z0-9_/.-]{1,100}$/).map(goto),
      bytes.map((value): ElementData => ({ kind: 'value', bytes: value })),
    ),
    comment: fc.option(fc.stringMatching(/^[ -~]{0,127}$/), { nil: undefined }),
  },
  { noNullPrototype: true },
)

t.test('what is written can be read', t => {
  fc.assert(
    fc.property(fc.array(arbitraryElement, { minLength: 1, maxLength: 9 }), elements => {
      t.same(
        createElements('hostports4', elements).flatMap(message => elementsOf(bodyOf(message))),
        elements,
      )
    }),
  )
  t.end()
})
