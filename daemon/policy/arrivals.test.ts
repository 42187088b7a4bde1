import t from 'tap'
import { Arrivals } from './arrivals.ts'

t.test('until() does not wait for what is there', async t => {
  t.equal(await new Arrivals().until('a', () => true, 60_000), true)
})

t.test('until() is woken by what it waits for, and by nothing else', async t => {
  const arrivals = new Arrivals()
  let [isThere, looks] = [false, 0]
  const waiting = arrivals.until('a', () => (looks++, isThere), 60_000)
  arrivals.come('b')
  t.equal(looks, 1)
  arrivals.come('a')
  t.equal(looks, 2, 'it looks for itself: not everything that comes will do')
  isThere = true
  arrivals.come('a')
  t.equal(await waiting, true)
  arrivals.come('a')
  t.equal(looks, 3, 'nobody looks any more')
})

t.test('until() gives up after a while', async t => {
  t.equal(await new Arrivals().until('a', () => false, 1), false)
})
