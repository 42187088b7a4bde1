import fc from 'fast-check'
import t from 'tap'
import { shuffle } from './shuffle.ts'

t.test('shuffle() keeps every item, in an order that the numbers make', t => {
  t.same(
    shuffle(['a', 'b', 'c'], () => 0),
    ['a', 'b', 'c'],
  )
  t.same(
    shuffle(['a', 'b', 'c'], () => 0.999),
    ['c', 'b', 'a'],
  )
  const sorted = (items: readonly number[]): number[] => items.toSorted((a, b) => a - b)
  fc.assert(fc.property(fc.array(fc.nat()), items => t.same(sorted(shuffle(items)), sorted(items))))
  t.end()
})
