import fc from 'fast-check'
import t from 'tap'
import { heedMs, retryMs, spreadRetryMs } from './backoff.ts'

t.test('retryMs() doubles from a second to half a minute', async t => {
  t.same([1, 2, 3, 4, 5, 6, 7, 1000].map(retryMs), [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  t.equal(retryMs(0), 1000)
})

t.test('spreadRetryMs() waits between half of that and all of it', async t => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const wait = spreadRetryMs(failures, random)
      t.ok(wait >= retryMs(failures) / 2 && wait <= retryMs(failures))
    }),
  )
})

t.test('heedMs() waits as long as a server asks, if that is longer, and two minutes at most', async t => {
  t.equal(heedMs(1000, undefined), 1000)
  t.equal(heedMs(1000, 500), 1000)
  t.equal(heedMs(1000, 5000), 5000)
  t.equal(heedMs(1000, 1e12), 120_000)
})
