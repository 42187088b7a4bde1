import fc from 'fast-check'
import t from 'tap'
import { joined, reply } from '../../../test/support/netlink.ts'
import { u32 } from './attr.ts'
import { parseAddress } from './address.ts'
import { parseLink } from './link.ts'
import { parseRoute } from './route.ts'
import { doneErrno, encodeRequest, FLAG, parseAck, type Reply, splitReplies, TYPE } from './message.ts'

const only = (command: string): Reply => splitReplies(reply(command))[0] as Reply

t.test('encodeRequest() writes the header and what follows it', t => {
  const bytes = encodeRequest(
    { type: TYPE.getLink, flags: FLAG.dump, header: new Uint8Array(16), attrs: [[10, u32(2)]] },
    7,
  )
  t.equal(bytes.toHex(), joined(`28000000 1200 0103 07000000 00000000 ${'00'.repeat(16)} 08000a00 02000000`))
  t.end()
})

t.test('splitReplies() reads back what encodeRequest() wrote', t => {
  const arbitrary = fc.tuple(fc.nat(0xffff), fc.uint8Array({ maxLength: 40 }), fc.nat(0xffffffff))
  fc.assert(
    fc.property(arbitrary, ([type, header, sequence]) => {
      const [read, ...rest] = splitReplies(encodeRequest({ type, flags: 0, header, attrs: [] }, sequence))
      t.strictSame([read, rest], [{ type, flags: FLAG.request, sequence, body: header }, []])
    }),
  )
  t.end()
})

t.test('doneErrno() tells a complete dump from one that failed', t => {
  const done = (body: Uint8Array): Reply => ({ type: TYPE.done, flags: 0, sequence: 1, body })
  t.equal(doneErrno(done(new Uint8Array(4))), 0)
  t.equal(doneErrno(done(new Uint8Array(Int32Array.of(-19).buffer))), 19)
  t.equal(doneErrno(done(new Uint8Array())), 0)
  t.end()
})

t.test('splitReplies() finds every message of a dump’s datagram', t => {
  const types = splitReplies(reply('ip address show dev cbr0')).map(message => message.type)
  t.same(types, [TYPE.newAddress, TYPE.newAddress, TYPE.newAddress])
  t.equal(only('the end of a dump').type, TYPE.done)
  t.end()
})

t.test('splitReplies() stops at a message that is cut off or shorter than its header', t => {
  const datagram = reply('ip address show dev cbr0')
  t.equal(splitReplies(datagram.subarray(0, -1)).length, 2)
  t.equal(splitReplies(datagram.subarray(0, 15)).length, 0)
  t.equal(splitReplies(new Uint8Array(64)).length, 0)
  t.end()
})

t.test('splitReplies() never reads past the datagram, whatever it is', t => {
  const message = fc
    .tuple(fc.nat(60), fc.uint8Array({ maxLength: 60 }))
    .map(([length, rest]) => [length, 0, 0, 0, ...rest])
  fc.assert(
    fc.property(fc.array(message), messages => {
      const datagram = Uint8Array.from(messages.flat())
      return splitReplies(datagram).every(({ body }) => body.byteOffset + body.length <= datagram.length)
    }),
  )
  t.end()
})

t.test('parseAck() knows an acknowledgement', t => {
  t.strictSame(parseAck(only('an acknowledgement')), { errno: 0, sentence: undefined })
  t.end()
})

t.test('parseAck() reads the errno and the kernel’s sentence behind the copy of the request', t => {
  const refused = only('ip link add cbr1 mtu 5 type bridge')
  t.strictSame(parseAck(refused), { errno: 22, sentence: 'mtu less than device minimum' })
  t.end()
})

t.test('parseAck() reads the sentence of an answer without that copy (NETLINK_CAP_ACK)', t => {
  const refused = only('ip link add cbr1 mtu 5 type bridge')
  const copied = Buffer.from(refused.body).readUInt32LE(4)
  const body = Uint8Array.from([...refused.body.subarray(0, 20), ...refused.body.subarray(4 + copied)])
  t.strictSame(
    parseAck({ ...refused, flags: refused.flags | 0x100, body }).sentence,
    'mtu less than device minimum',
  )
  t.end()
})

t.test('a body that is cut short ends its reading in a RangeError at most', t => {
  const readers = [
    parseLink,
    parseAddress,
    parseRoute,
    (body: Uint8Array) => parseAck({ ...only('an acknowledgement'), body }),
  ]
  fc.assert(
    fc.property(fc.constantFrom(...readers), fc.uint8Array({ maxLength: 100 }), (read, body) => {
      try {
        read(body)
        return true
      } catch (error) {
        return error instanceof RangeError && body.length < 16
      }
    }),
  )
  t.end()
})
