import fc from 'fast-check'
import t from 'tap'
import { areEqual } from './equal.ts'

const leaf = fc.oneof(fc.string(), fc.bigInt(), fc.constant(null), fc.constant(undefined), fc.boolean())
const { value } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 3 }).map(entries => new Map(entries)),
  ),
}))

t.test('a value equals its copy, and what one equals equals it', async t => {
  fc.assert(fc.property(value, one => areEqual(one, structuredClone(one))))
  fc.assert(fc.property(value, value, (one, other) => areEqual(one, other) === areEqual(other, one)))
  t.pass()
})

t.test('values differ by what is in them, however deep, and not by its order', async t => {
  const pod = (app: string, port: number) => ({
    labels: new Map([['app', app]]),
    ports: [{ port }],
    uid: undefined,
  })
  t.equal(areEqual(pod('a', 1), pod('a', 1)), true)
  t.equal(areEqual(pod('a', 1), pod('b', 1)), false)
  t.equal(areEqual(pod('a', 1), pod('a', 2)), false)
  t.equal(areEqual({ a: 1, b: 2 }, { b: 2, a: 1 }), true)
  t.equal(areEqual({ a: undefined }, { b: undefined }), false)
  t.equal(areEqual([1], [1, 2]), false)
  t.equal(areEqual(pod('a', 1), undefined), false)
  t.equal(areEqual(null, {}), false)
})
