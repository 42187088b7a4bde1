import t from 'tap'
import { Queues } from './queues.ts'

/** A job that ends when it is told to. */
function job(started: string[], name: string) {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  return { resolve: () => resolve(name), reject, run: () => (started.push(name), promise) }
}

t.test('Queues runs the jobs of one key in turn, and those of others meanwhile', async t => {
  const [queues, started] = [new Queues(), [] as string[]]
  const [first, second, other] = [job(started, 'first'), job(started, 'second'), job(started, 'other')]
  const answers = [queues.run('a', first.run), queues.run('a', second.run), queues.run('b', other.run)]
  t.same(started, ['first', 'other'])
  other.resolve()
  t.equal(await answers[2], 'other')
  first.resolve()
  t.equal(await answers[0], 'first')
  t.same(started, ['first', 'other', 'second'])
  second.resolve()
  t.equal(await answers[1], 'second')
})

t.test('Queues runs a job after one that failed', async t => {
  const [queues, started] = [new Queues(), [] as string[]]
  const [first, second] = [job(started, 'first'), job(started, 'second')]
  const answers = [queues.run('a', first.run), queues.run('a', second.run)]
  first.reject(new Error('no'))
  await t.rejects(answers[0]!, { message: 'no' })
  second.resolve()
  t.equal(await answers[1], 'second')
})

t.test('Queues starts a job at once when all of its key are over', async t => {
  const [queues, started] = [new Queues(), [] as string[]]
  for (const name of ['first', 'second']) {
    const each = job(started, name)
    const answer = queues.run('a', each.run)
    t.equal(started.at(-1), name)
    each.resolve()
    await answer
  }
})
