import t from 'tap'
import { Thread } from './thread.ts'

const startedAt = (version: string): Thread => {
  const thread = new Thread()
  thread.listed(version)
  return thread
}

t.test('A thread begins with nothing to go on from', async t => {
  t.equal(new Thread().version, undefined)
  t.equal(new Thread().failures, 0)
})

t.test('found() goes on, and keeps the version when none is told', async t => {
  const thread = startedAt('7')
  thread.found(undefined)
  t.equal(thread.version, '7')
  thread.found('8')
  t.equal(thread.version, '8')
})

t.test('listed() does not end a row of failures', async t => {
  const thread = startedAt('7')
  thread.lost(410)
  thread.listed('9')
  t.equal(thread.version, '9')
  t.equal(thread.failures, 1)
})

t.test('lost() forgets a version that the server no longer knows', async t => {
  const thread = startedAt('7')
  thread.lost(410)
  t.equal(thread.version, undefined)
  t.equal(thread.failures, 1)
})

t.test('lost() keeps the version while nobody answers, or all are busy', async t => {
  for (const status of [undefined, 429, 503]) {
    const thread = startedAt('7')
    for (let i = 0; i < 100; i++) thread.lost(status)
    t.equal(thread.version, '7')
    t.equal(thread.failures, 100)
  }
})

t.test(
  'lost() forgets the version after three answers that lead nowhere, if nothing was found between',
  async t => {
    for (const status of [200, 400, 504]) {
      const thread = startedAt('7')
      thread.lost(status)
      thread.lost(status)
      thread.lost(undefined)
      t.equal(thread.version, '7')
      thread.lost(status)
      t.equal(thread.version, undefined)
      t.equal(thread.failures, 4)
      thread.found('9')
      thread.lost(status)
      thread.lost(status)
      t.equal(thread.version, '9')
      t.equal(thread.failures, 2)
    }
  },
)
