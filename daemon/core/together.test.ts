import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Together } from './together.ts'

/** Batches that end when they are told to, with these failures. */
function stage() {
  const batches: { items: readonly string[]; end: (failures?: Map<string, unknown>) => void }[] = []
  const together = new Together<string>(
    items => new Promise(end => batches.push({ items, end: (failures = new Map()) => end(failures) })),
  )
  return { batches, together }
}

t.test('Together begins at once, with all that comes in one go', async t => {
  const { batches, together } = stage()
  const done = [together.add('a'), together.add('b')]
  await nextTurn()
  t.same(batches[0]?.items, ['a', 'b'])
  batches[0]?.end()
  await Promise.all(done)
})

t.test('Together does what comes meanwhile as one, each once', async t => {
  const { batches, together } = stage()
  const first = together.add('a')
  await nextTurn()
  const all = ['b', 'c', 'b'].map(item => together.add(item))
  t.same(
    batches.map(({ items }) => items),
    [['a']],
  )
  batches[0]?.end()
  await nextTurn()
  t.same(batches[1]?.items, ['b', 'c'])
  batches[1]?.end()
  await Promise.all([first, ...all])
  t.equal(batches.length, 2)
})

t.test('Together tells each whether it failed, and goes on', async t => {
  const { batches, together } = stage()
  const first = together.add('a')
  await nextTurn()
  const [bad, good] = [together.add('bad'), together.add('good')]
  batches[0]?.end()
  await nextTurn()
  batches[1]?.end(new Map([['bad', new Error('it resists')]]))
  await good
  await t.rejects(bad, { message: 'it resists' })
  const next = together.add('next')
  await nextTurn()
  batches[2]?.end()
  await Promise.all([first, next])
})

t.test('Together fails all of a batch whose work throws, and goes on', async t => {
  let isBroken = true
  const together = new Together<string>(async () => {
    if (isBroken) throw new Error('no socket')
    return new Map()
  })
  await t.rejects(together.add('a'), { message: 'no socket' })
  isBroken = false
  await together.add('b')
})
