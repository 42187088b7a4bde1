import { test } from 'tap'
import { Rounds } from './rounds.ts'

/** Rounds that each end when they are told to. */
function stage() {
  const under: PromiseWithResolvers<void>[] = []
  const rounds = new Rounds(() => {
    const round = Promise.withResolvers<void>()
    under.push(round)
    return round.promise
  })
  return { rounds, under }
}

test('the first who asks begins a round at once', async t => {
  const { rounds, under } = stage()
  const asked = rounds.run()
  t.equal(under.length, 1)
  under[0]!.resolve()
  await asked
})

test('all who ask while a round is under way share the next', async t => {
  const { rounds, under } = stage()
  const first = rounds.run()
  const others = [rounds.run(), rounds.run()]
  t.equal(under.length, 1, 'the next waits for the first')
  under[0]!.resolve()
  await first
  await new Promise(setImmediate)
  t.equal(under.length, 2)
  const third = rounds.run()
  under[1]!.resolve()
  await Promise.all(others)
  await new Promise(setImmediate)
  t.equal(under.length, 3, 'who asks during the second has a third')
  under[2]!.resolve()
  await third
})

test('a round that fails fails for those who shared it, and for nobody after', async t => {
  const { rounds, under } = stage()
  const first = rounds.run()
  const second = rounds.run()
  under[0]!.reject(new Error('the first fails'))
  await t.rejects(first, { message: 'the first fails' })
  await new Promise(setImmediate)
  under[1]!.resolve()
  await second
  const later = rounds.run()
  t.equal(under.length, 3)
  under[2]!.resolve()
  await later
})

test('never two rounds at a time, whenever somebody asks', async t => {
  let [underWay, most] = [0, 0]
  const asked: Promise<void>[] = []
  /** Asks at each step of the promises by which one round follows another. */
  async function ask(): Promise<void> {
    for (let step = 0; step < 10; step += 1) {
      asked.push(rounds.run())
      await Promise.resolve()
    }
  }
  const rounds = new Rounds(async () => {
    underWay += 1
    most = Math.max(most, underWay)
    await new Promise(setImmediate)
    if (asked.length === 0) void ask()
    underWay -= 1
  })
  await rounds.run()
  await Promise.all(asked)
  t.equal(most, 1)
})
