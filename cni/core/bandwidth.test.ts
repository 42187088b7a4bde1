import fc from 'fast-check'
import t from 'tap'
import { network } from '../../test/support/wish.ts'
import type { JsonObject } from '../spec/read.ts'
import { parseBandwidth, tokenBucket } from './bandwidth.ts'

const read = (keys: JsonObject) => parseBandwidth(network(keys).keys)
const NONE = { ingress: undefined, egress: undefined }
const IN = { ingressRate: 8, ingressBurst: 16 }
const OUT = { egressRate: 32, egressBurst: 64 }
const INGRESS = { rate: 8, burst: 16 }
const EGRESS = { rate: 32, burst: 64 }

t.test('parseBandwidth() reads what the runtime sends', t => {
  const sent = (bandwidth: JsonObject) => read({ runtimeConfig: { bandwidth } })
  t.strictSame(sent({ ...IN, ...OUT }), { ingress: INGRESS, egress: EGRESS })
  t.strictSame(sent(IN), { ...NONE, ingress: INGRESS })
  t.strictSame(sent(OUT), { ...NONE, egress: EGRESS })
  const containerd = { IngressRate: 8, IngressBurst: 16, EgressRate: 32, EgressBurst: 64 }
  t.strictSame(sent(containerd), { ingress: INGRESS, egress: EGRESS }, 'in containerd’s spelling')
  t.end()
})

t.test('parseBandwidth() takes what the runtime sent unless the config has keys of its own', t => {
  t.strictSame(read({ ...IN, ...OUT }), { ingress: INGRESS, egress: EGRESS })
  for (const runtimeConfig of [null, {}, { bandwidth: null }, { mac: '' }])
    t.strictSame(read({ ...IN, runtimeConfig }), { ...NONE, ingress: INGRESS })
  t.strictSame(read({ ...IN, runtimeConfig: { bandwidth: OUT } }), { ...NONE, ingress: INGRESS })
  t.strictSame(read({ ...IN, runtimeConfig: { bandwidth: {} } }), { ...NONE, ingress: INGRESS })
  t.end()
})

t.test('parseBandwidth() takes 0 and null for no limit', t => {
  const zeros = { ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: null }
  t.strictSame(read(zeros), NONE)
  t.strictSame(read({}), NONE)
  t.end()
})

t.test('parseBandwidth() takes the numbers of Go’s runtimes', t => {
  t.strictSame(read({ ingressRate: 2 ** 64 - 1, ingressBurst: 2 ** 32 - 1 }).ingress, {
    rate: 2 ** 64,
    burst: 2 ** 32 - 1,
  })
  const most = (2 ** 32 - 1) * 8 - 1
  t.match(read({ egressRate: 1, egressBurst: most }), { egress: { burst: most } })
  t.end()
})

const REFUSED: readonly (readonly [JsonObject, RegExp])[] = [
  [{ ingressRate: 1 }, /^Cannot use "ingressRate" without "ingressBurst": set both, or neither$/],
  [{ egressRate: 1, egressBurst: 0 }, /^Cannot use "egressRate" without "egressBurst": /],
  [{ ingressBurst: 1 }, /^Cannot use "ingressBurst" without "ingressRate": /],
  [
    { runtimeConfig: { bandwidth: { egressBurst: 1 } } },
    /^Cannot use "runtimeConfig\.bandwidth\.egressBurst" without "runtimeConfig\.bandwidth\.egressRate": /,
  ],
  [
    { ingressRate: 1, ingressBurst: (2 ** 32 - 1) * 8 },
    /^Cannot use "ingressBurst": 34359738360; the kernel counts fewer than 34359738360 bits$/,
  ],
  [{ ingressRate: -1 }, /"ingressRate": expected a whole number/],
  [{ ingressRate: 1.5 }, /"ingressRate": expected a whole number/],
  [{ egressRate: '1M' }, /"egressRate": expected a whole number/],
  [{ egressRate: 2 ** 65 }, /"egressRate": expected a whole number/],
  [{ runtimeConfig: { bandwidth: [] } }, /"runtimeConfig\.bandwidth": expected an object/],
]

t.test('parseBandwidth() refuses what the reference refuses, and names the key', t => {
  for (const [keys, message] of REFUSED)
    t.throws(() => read(keys), { kind: 'invalid-config', message }, JSON.stringify(keys))
  t.end()
})

t.test('tokenBucket() counts in bytes, and lets 25 ms of packets wait', t => {
  t.strictSame(tokenBucket({ rate: 8_000_000, burst: 800_000 }, 1500), {
    rate: 1_000_000,
    burst: 100_000,
    limit: 125_000,
  })
  t.end()
})

t.test('tokenBucket() lets at most 2^32-1 ns of the rate pass at once', t => {
  t.strictSame(tokenBucket({ rate: 8_000_000, burst: 2 ** 32 - 1 }, 1500), {
    rate: 1_000_000,
    burst: 4_294_967,
    limit: 4_319_967,
  })
  t.end()
})

t.test('tokenBucket() holds at least one packet', t => {
  t.strictSame(tokenBucket({ rate: 1, burst: 1 }, 1500), { rate: 1, burst: 1518, limit: 1518 })
  t.end()
})

t.test('tokenBucket() fits into the kernel’s numbers, and loses less than a byte a second', t => {
  const bits = fc.double({ min: 1, max: 2 ** 64, noNaN: true }).map(Math.floor)
  const burst = fc.integer({ min: 1, max: 2 ** 32 * 8 - 9 })
  const mtu = fc.integer({ min: 68, max: 65_535 })
  fc.assert(
    fc.property(bits, burst, mtu, (rate, burst, mtu) => {
      const bucket = tokenBucket({ rate, burst }, mtu)
      const fits = [bucket.burst, bucket.limit].every(n => Number.isInteger(n) && n > mtu && n < 2 ** 32)
      return (
        fits &&
        Number.isInteger(bucket.rate) &&
        bucket.rate >= 1 &&
        BigInt(bucket.rate) < 2n ** 64n &&
        rate / 8 - bucket.rate < 1 &&
        bucket.limit >= bucket.burst
      )
    }),
  )
  t.end()
})
