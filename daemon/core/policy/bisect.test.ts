import fc from 'fast-check'
import t from 'tap'
import { countEarly, isWithin } from './bisect.ts'

t.test('countEarly() counts what comes before the first late item', async t => {
  const numbers = fc.array(fc.integer({ min: 0, max: 20 })).map(items => items.sort((a, b) => a - b))
  fc.assert(
    fc.property(numbers, fc.integer({ min: -1, max: 21 }), (items, limit) => {
      const isEarly = (item: number): boolean => item < limit
      return countEarly(items, isEarly) === items.filter(isEarly).length
    }),
  )
  t.pass()
})

t.test('isWithin() finds a value from the first to the last of a range, and nowhere else', async t => {
  const ranges = [
    { from: 2, to: 4 },
    { from: 6, to: 6 },
    { from: 9, to: 11 },
  ]
  const found = Array.from({ length: 14 }, (_, i) => i).filter(value =>
    isWithin(ranges, value, [({ from }) => from, ({ to }) => to]),
  )
  t.same(found, [2, 3, 4, 6, 9, 10, 11])
  t.equal(isWithin([], 1, [() => 0, () => 2]), false)
})
