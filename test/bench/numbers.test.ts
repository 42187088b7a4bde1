import fc from 'fast-check'
import t from 'tap'
import { formatNumber, median, percentile, quantiles } from './numbers.ts'

t.test('percentile() is one of the values, by nearest rank', t => {
  const values = [5, 1, 4, 2, 3]
  t.equal(median(values), 3)
  t.equal(percentile(values, 0), 1)
  t.equal(percentile(values, 0.2), 1)
  t.equal(percentile(values, 0.21), 2)
  t.equal(percentile(values, 0.99), 5)
  t.ok(Number.isNaN(percentile([], 0.5)))
  t.same(values, [5, 1, 4, 2, 3])
  t.end()
})

t.test('quantiles() never fall, and lie between the least and the greatest value', t => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 1 }), values => {
      const { count, ...rest } = quantiles(values)
      const found = Object.values(rest)
      t.equal(count, values.length)
      t.same(
        found,
        found.toSorted((a, b) => a - b),
      )
      t.equal(found[0], values.toSorted((a, b) => a - b)[0])
      t.ok(values.includes(found.at(-1)!))
    }),
  )
  t.end()
})

t.test('formatNumber() keeps three digits', t => {
  const texts = [0, 0.0004, 0.305, 1.8349, 18.349, 183.49, 18349.2, Number.NaN].map(formatNumber)
  t.same(texts, ['0.000', '0.000', '0.305', '1.83', '18.3', '183', '18349', '-'])
  t.end()
})
