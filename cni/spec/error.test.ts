import t from 'tap'
import {
  assertNever,
  CniError,
  CODES,
  DelegateError,
  type ErrorKind,
  joinErrors,
  messageOf,
} from './error.ts'

t.test('CODES gives each kind a code of its own, and ours start at 100', async t => {
  const codes = Object.values(CODES)
  t.equal(new Set(codes).size, codes.length)
  const reserved = [1, 2, 4, 5, 6, 7, 11, 50, 51]
  t.strictSame(
    codes.filter(code => code < 100 && code !== 3).toSorted((a, b) => a - b),
    reserved,
  )
})

t.test('CniError has the code of its kind', async t => {
  for (const kind of Object.keys(CODES) as ErrorKind[]) t.equal(new CniError(kind, 'x').code, CODES[kind])
})

t.test('CniError keeps details and cause, and has no cause that nobody gave', async t => {
  const cause = new Error('why')
  t.match(new CniError('io', 'x', { details: 'more', cause }), { message: 'x', details: 'more', cause })
  t.notOk('cause' in new CniError('io', 'x'))
})

t.test('DelegateError has the code of the plugin that it came from', async t => {
  t.match(new DelegateError(11, 'busy', { details: 'd' }), {
    code: 11,
    kind: 'delegate-failed',
    message: 'busy',
    details: 'd',
  })
})

t.test('messageOf() makes a text of anything that can be thrown', async t => {
  t.equal(messageOf(new Error('x')), 'x')
  t.equal(messageOf('x'), 'x')
  t.equal(messageOf(undefined), 'undefined')
  t.equal(messageOf(Symbol('x')), 'Symbol(x)')
  t.equal(messageOf(Object.create(null)), 'something that has no text')
})

t.test('joinErrors() loses none', async t => {
  const first = new CniError('netns', 'a')
  t.equal(joinErrors([]), undefined)
  t.equal(joinErrors([first]), first)
  t.match(joinErrors([first, new Error('b')]), { kind: 'netns', message: 'a; b', cause: first })
  t.match(joinErrors([new Error('b')]), { kind: 'internal', message: 'b' })
})

t.test('assertNever() tells what it met', async t => {
  t.throws(() => assertNever('x' as never), { kind: 'internal', message: 'Cannot handle "x"' })
})
