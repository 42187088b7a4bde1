import t from 'tap'
import { CniError, DelegateError } from './error.ts'
import { errorJson, isBug, VERSION_ANSWER } from './output.ts'

t.test('VERSION_ANSWER names our newest version and all others', async t => {
  t.strictSame(VERSION_ANSWER, {
    cniVersion: '1.1.0',
    supportedVersions: ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'],
  })
})

t.test('errorJson() has the code of the kind and no details when there are none', async t => {
  const error = new CniError('pool-exhausted', 'Cannot allocate: it is full')
  const json = { cniVersion: '0.4.0', code: 101, msg: 'Cannot allocate: it is full' }
  t.strictSame(errorJson(error, '0.4.0', 'ADD'), json)
  t.notOk(isBug(error))
})

t.test('errorJson() prefers the details that an error has', async t => {
  const error = new CniError('io', 'Cannot read', { details: 'more', cause: new Error('EIO') })
  t.strictSame(errorJson(error, '1.0.0', 'ADD')['details'], 'more')
})

t.test('errorJson() tells the causes that add something', async t => {
  const root = new Error('ENOENT')
  const middle = new Error('Cannot open /x: ENOENT', { cause: root })
  const told = new CniError('io', 'Cannot start', { cause: middle })
  t.equal(errorJson(told, '1.1.0', 'ADD')['details'], 'Cannot open /x: ENOENT')
  const known = new CniError('io', 'Cannot start: Cannot open /x: ENOENT', { cause: middle })
  t.notOk('details' in errorJson(known, '1.1.0', 'ADD'))
  const odd = new CniError('io', 'Cannot start', { cause: 'a text' })
  t.equal(errorJson(odd, '1.1.0', 'ADD')['details'], 'a text')
})

t.test('errorJson() ends although causes go in a circle', async t => {
  const a = new Error('a')
  const b = new Error('b', { cause: a })
  a.cause = b
  t.equal(errorJson(new CniError('io', 'x', { cause: a }), '1.1.0', 'ADD')['details'], 'a: b')
})

t.test('errorJson() passes the error of a delegate on as it was', async t => {
  const error = new DelegateError(11, 'try later', { details: 'busy' })
  const json = { cniVersion: '1.1.0', code: 11, msg: 'try later', details: 'busy' }
  t.strictSame(errorJson(error, '1.1.0', 'ADD'), json)
})

for (const thrown of [new TypeError('x is not a function'), 'x is not a function']) {
  t.test(`errorJson() calls a thrown ${typeof thrown} a bug, without its stack`, async t => {
    t.strictSame(errorJson(thrown, '1.1.0', 'CHECK'), {
      cniVersion: '1.1.0',
      code: 199,
      msg: 'Cannot finish CHECK: this is a bug in Podwire; report it with the details and the config',
      details: 'x is not a function',
    })
    t.ok(isBug(thrown))
  })
}

t.test('errorJson() tells what failed first, then what failed while it was undone', async t => {
  const first = new CniError('netns', 'Cannot open', { details: 'gone' })
  const undone = new SuppressedError(new Error('undo B'), new SuppressedError(new Error('undo A'), first))
  t.strictSame(errorJson(undone, '1.1.0', 'ADD'), {
    cniVersion: '1.1.0',
    code: 108,
    msg: 'Cannot open',
    details: 'gone; then: undo A; then: undo B',
  })
  t.notOk(isBug(undone))
})
