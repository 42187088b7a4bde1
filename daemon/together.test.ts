import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Together } from './together.ts'

/** Batches that end when they are told to, with these failures; and pauses that do. */
function stage(atOnce = 2) {
  const batches: { items: readonly string[]; end: (failures?: Map<string, unknown>) => void }[] = []
  const pauses: (() => void)[] = []
  const together = new Together<string>({
    work: items => new Promise(end => batches.push({ items, end: (failures = new Map()) => end(failures) })),
    pause: () => new Promise(end => pauses.push(end)),
    atOnce,
  })
  /** Ends the pause that is on, if any, and answers what all batches were. */
  const begun = async () => {
    pauses.pop()?.()
    await nextTurn()
    return batches.map(({ items }) => items.join(' '))
  }
  return { batches, together, begun }
}

t.test('Together begins at once, with all that comes in one go', async t => {
  const { batches, together } = stage()
  const done = [together.add('a'), together.add('b')]
  await nextTurn()
  t.same(batches[0]?.items, ['a', 'b'])
  batches[0]?.end()
  await Promise.all(done)
})

t.test('Together does what comes during a pause as one, each once', async t => {
  const { batches, together, begun } = stage()
  const first = together.add('a')
  await nextTurn()
  const others = ['b', 'c', 'b'].map(item => together.add(item))
  await nextTurn()
  t.equal(batches.length, 1)
  t.same(await begun(), ['a', 'b c'])
  for (const { end } of batches) end()
  await Promise.all([first, ...others])
})

t.test('Together has no more batches under way than it may', async t => {
  const { batches, together, begun } = stage(2)
  const all = [together.add('a')]
  for (const item of ['b', 'c', 'd']) {
    await begun()
    all.push(together.add(item))
  }
  t.same(await begun(), ['a', 'b'])
  batches[0]?.end()
  await nextTurn()
  t.same(await begun(), ['a', 'b', 'c d'])
  for (const { end } of batches) end()
  await Promise.all(all)
})

t.test('Together tells each whether it failed, and goes on', async t => {
  const { batches, together } = stage()
  const [bad, good] = [together.add('bad'), together.add('good')]
  await nextTurn()
  batches[0]?.end(new Map([['bad', new Error('it resists')]]))
  await good
  await t.rejects(bad, { message: 'it resists' })
  const next = together.add('next')
  await nextTurn()
  batches[1]?.end()
  await next
})

t.test('Together fails all of a batch whose work throws, and goes on', async t => {
  let isBroken = true
  const together = new Together<string>({
    work: async () => {
      if (isBroken) throw new Error('no socket')
      return new Map()
    },
    pause: async () => {},
    atOnce: 1,
  })
  await t.rejects(together.add('a'), { message: 'no socket' })
  isBroken = false
  await together.add('b')
})
