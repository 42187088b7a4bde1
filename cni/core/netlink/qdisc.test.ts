import fc from 'fast-check'
import t from 'tap'
import { joined, reply, request } from '../../../test/support/netlink.ts'
import { parseAttrs } from './attr.ts'
import { encodeRequest, FLAG, type Request, splitReplies, TYPE } from './message.ts'
import { addIngress, addTbf, getRootQdisc, parseQdisc } from './qdisc.ts'

const BUCKET = { rate: 125_000, burst: 2500, limit: 5625 }
const bodyOf = (request: Request): Uint8Array => splitReplies(encodeRequest(request, 1))[0]!.body
const optionsOf = (body: Uint8Array) => parseAttrs(parseAttrs(body.subarray(20)).get(2)!)
/** What the kernel shows of the two buckets of the recording, and of an ingress qdisc between them. */
const SHOWN = splitReplies(reply('tc qdisc show')).map(({ body }) => body)

t.test('addIngress() asks as `tc qdisc add` does', t => {
  t.same(encodeRequest(addIngress(3), 1), request('tc qdisc add dev veth0 handle ffff: ingress'))
  t.end()
})

t.test('addTbf() asks for a bucket in bytes', t => {
  t.equal(
    encodeRequest(addTbf(3, BUCKET), 1).toHex(),
    joined(
      `60000000 24000506 01000000 00000000  00000000 03000000 00000100 ffffffff 00000000
       08000100 74626600  34000280
       28000100 00010000 00000000 48e80100 ${'00'.repeat(12)} f9150000 00000000 00000000
       08000600 c4090000`.replaceAll(/\s/g, ''),
    ),
  )
  t.end()
})

t.test('addTbf() means what the kernel shows of `tc qdisc add`, but for the burst as a time', t => {
  const asked = bodyOf(addTbf(3, BUCKET))
  const buffer = new Uint8Array(4)
  const [ours, theirs] = [asked, SHOWN[0]!].map(body => optionsOf(body).get(1)!)
  t.same(ours, new Uint8Array([...theirs!.subarray(0, 28), ...buffer, ...theirs!.subarray(32)]))
  t.end()
})

t.test('addTbf() sends a rate of more than 32 bits in 64', t => {
  const wide = optionsOf(bodyOf(addTbf(4, { ...BUCKET, rate: 1e10 })))
  t.same(wide.get(4), optionsOf(SHOWN[2]!).get(4))
  t.same(wide.get(1)?.subarray(8, 12), Uint8Array.of(255, 255, 255, 255))
  for (const rate of [1, 2 ** 32 - 1])
    t.notOk(optionsOf(bodyOf(addTbf(4, { ...BUCKET, rate }))).has(4), `${rate}`)
  t.end()
})

t.test('parseQdisc() reads what the kernel shows', t => {
  t.strictSame(SHOWN.map(parseQdisc), [
    { index: 3, kind: 'tbf', rate: 125_000 },
    { index: 3, kind: 'ingress', rate: undefined },
    { index: 4, kind: 'tbf', rate: 10_000_000_000 },
  ])
  t.end()
})

t.test('parseQdisc() reads back every rate', t => {
  const rate = fc.bigInt({ min: 1n, max: 2n ** 61n }).map(Number)
  fc.assert(fc.property(rate, rate => parseQdisc(bodyOf(addTbf(7, { ...BUCKET, rate }))).rate === rate))
  t.end()
})

t.test('parseQdisc() takes a qdisc of which the kernel says little', t => {
  t.strictSame(parseQdisc(new Uint8Array(20)), { index: 0, kind: undefined, rate: undefined })
  const bare = new Uint8Array([...new Uint8Array(20), 8, 0, 1, 0, 0x74, 0x62, 0x66, 0])
  t.strictSame(parseQdisc(bare), { index: 0, kind: 'tbf', rate: undefined })
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 200 }),
      body => parseQdisc(body).index >= -(2 ** 31),
    ),
  )
  t.end()
})

t.test('getRootQdisc() asks for one, to be told as listeners are', t => {
  t.match(getRootQdisc(3), { type: TYPE.getQdisc, flags: FLAG.ack | FLAG.echo, attrs: [] })
  t.equal(getRootQdisc(3).header.toHex(), joined('00000000 03000000 00000000 ffffffff 00000000'))
  t.end()
})
