import fc from 'fast-check'
import t from 'tap'
import { parseListPage, parseWatchEvent } from './watch-event.ts'

const line = (type: string, object: unknown) => JSON.stringify({ type, object })
const object = { metadata: { name: 'node1', resourceVersion: '7' } }

t.test('parseWatchEvent() tells what became of an object, and the version after it', async t => {
  t.same(parseWatchEvent(line('ADDED', object)), { kind: 'changed', object, version: '7' })
  t.same(parseWatchEvent(line('MODIFIED', object)), { kind: 'changed', object, version: '7' })
  t.same(parseWatchEvent(line('DELETED', object)), { kind: 'deleted', object, version: '7' })
  t.same(parseWatchEvent(line('BOOKMARK', object)), { kind: 'bookmark', version: '7' })
})

t.test('parseWatchEvent() reads why the server cannot go on', async t => {
  const gone = { kind: 'Status', code: 410, message: 'too old resource version' }
  t.same(parseWatchEvent(line('ERROR', gone)), {
    kind: 'error',
    code: 410,
    message: 'too old resource version',
  })
  t.same(parseWatchEvent(line('ERROR', 'nonsense')), { kind: 'error', code: 500, message: '' })
})

t.test('parseWatchEvent() throws for whatever is no event, and for nothing else', async t => {
  for (const text of ['', '{', 'null', '[]', '7', '{"type":"RESET"}', line('added', object)])
    t.throws(() => parseWatchEvent(text))
  fc.assert(
    fc.property(fc.jsonValue(), value => {
      t.equal(parseWatchEvent(line('ADDED', value)).kind, 'changed')
    }),
  )
})

t.test('parseListPage() reads items, version and the way to the next page', async t => {
  t.same(parseListPage({ metadata: { resourceVersion: '7', continue: 'x' }, items: [object] }), {
    items: [object],
    version: '7',
    next: 'x',
  })
  t.same(parseListPage({ metadata: { resourceVersion: '7', continue: '' }, items: null }), {
    items: [],
    version: '7',
    next: undefined,
  })
})

t.test('parseListPage() refuses what is no list', async t => {
  const strange = [
    undefined,
    null,
    'x',
    { kind: 'Status' },
    { items: [] },
    { metadata: { resourceVersion: '7' }, items: 'x' },
  ]
  for (const page of strange) t.throws(() => parseListPage(page), { message: /something else/ })
})
