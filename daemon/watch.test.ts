import t, { type Test } from 'tap'
import { answer, type Answering, FakeApi, listOf, nodeObject, watchOf } from '../test/support/api.ts'
import { type ClusterNode, parseNode } from './core/node.ts'
import { openApi } from './edge/kubernetes.ts'
import { watch } from './watch.ts'

/** A watch of Nodes at an API server that answers as told, where every watch takes a minute. */
const stage = (t: Test, ...answers: Answering[]) => {
  let minutes = 0
  return stageBy(() => (minutes += 1) * 60_000, t, ...answers)
}

/** The same by another clock; what the sink hears is written down. */
async function stageBy(now: () => number, t: Test, ...answers: Answering[]) {
  const api = await FakeApi.start(t, ...answers)
  const diary: string[] = []
  const waits: number[] = []
  let look = () => {}
  const note = (line: string) => {
    diary.push(line)
    look()
  }
  const abort = new AbortController()
  const log = {
    debug() {},
    info() {},
    warn: (_: object, text: string) => note(`warning: ${text}`),
    error() {},
  }
  const sink = {
    synced: (nodes: ClusterNode[]) => note(`all: ${nodes.map(({ name }) => name).join()}`),
    changed: ({ name, podCidrs }: ClusterNode) => note(`${name} has ${podCidrs.length}`),
    deleted: ({ name }: ClusterNode) => note(`${name} is gone`),
    heard: () => {},
    failed: (error: unknown, wait: number) => {
      waits.push(wait)
      note(`failed: ${(error as Error).message}`)
    },
  }
  const rows: number[] = []
  const retryMs = (failures: number) => {
    rows.push(failures)
    return 1
  }
  const options = {
    api: openApi(api.kubeconfig),
    path: '/api/v1/nodes',
    parse: parseNode,
    sink,
    log,
    now,
    retryMs,
  }
  const done = watch(options, abort.signal)
  t.teardown(async () => {
    abort.abort()
    await done
  })
  /** Waits for a line; gives it and those before it, which are then forgotten. */
  const until = (wanted: RegExp): Promise<string[]> =>
    new Promise(resolve => {
      look = () => {
        const at = diary.findIndex(line => wanted.test(line))
        if (at < 0) return
        look = () => {}
        resolve(diary.splice(0, at + 1))
      }
      look()
    })
  return { api, diary, until, waits, rows, abort, done }
}

const QUIET = watchOf([])

t.test('A watch lists all pages, then follows from the version of the list', async t => {
  const { api, until } = await stage(
    t,
    listOf([nodeObject('a')], '10', 'page two'),
    listOf([nodeObject('b')], '10'),
    watchOf([
      ['ADDED', nodeObject('c', '11')],
      ['MODIFIED', nodeObject('a', '12', '')],
      ['BOOKMARK', nodeObject('', '13')],
      ['DELETED', nodeObject('b', '14')],
    ]),
  )
  t.same(await until(/b is gone/), ['all: a,b', 'c has 1', 'a has 0', 'b is gone'])
  const [first, second, third] = api.asked.map(({ query }) => Object.fromEntries(query))
  t.match(first, { limit: '250' })
  t.match(second, { limit: '250', continue: 'page two' })
  t.match(third, { watch: 'true', resourceVersion: '10', allowWatchBookmarks: 'true' })
  const seconds = Number(third?.['timeoutSeconds'])
  t.ok(seconds >= 225 && seconds <= 300)
  t.equal(api.asked[0]?.headers.authorization, 'Bearer secret')
})

t.test('A watch that the server ends goes on from the last version heard of, without a new list', async t => {
  const { api, until } = await stage(
    t,
    listOf([]),
    watchOf(
      [
        ['ADDED', nodeObject('a', '11')],
        ['BOOKMARK', nodeObject('', '15')],
      ],
      false,
    ),
    watchOf([['ADDED', nodeObject('b', '16')]]),
  )
  t.same(await until(/b has/), ['all: ', 'a has 1', 'b has 1'])
  t.equal(api.asked[2]?.query.get('resourceVersion'), '15')
})

t.test('410 Gone, as an answer or as an event, leads to a new list', async t => {
  const gone = { kind: 'Status', code: 410, message: 'too old resource version' }
  for (const refusal of [answer(gone, 410), watchOf([['ERROR', gone]])]) {
    const { until } = await stage(
      t,
      listOf([nodeObject('a')]),
      refusal,
      listOf([nodeObject('b')], '20'),
      QUIET,
    )
    const lines = await until(/all: b/)
    t.match(lines[1], /too old resource version/)
  }
})

t.test('A page that is refused because the list is too old starts the list again', async t => {
  const { api, until } = await stage(
    t,
    listOf([nodeObject('a')], '10', 'next'),
    answer({ message: 'expired' }, 410),
    listOf([nodeObject('b')]),
    QUIET,
  )
  await until(/all: b$/)
  t.equal(api.asked[2]?.query.get('continue'), null)
})

t.test('Refusals say what the server said and what to look at', async t => {
  const { until } = await stage(t, answer({ message: 'nodes is forbidden' }, 403), listOf([]), QUIET)
  const [line] = await until(/failed/)
  t.match(
    line,
    /^failed: Cannot get \/api\/v1\/nodes from http:.*403: nodes is forbidden; see whether the ClusterRole/,
  )
  await until(/all: /)
})

t.test('A server that asks to be left alone is left alone for as long, except by the signal', async t => {
  const { until, waits, abort, done } = await stage(
    t,
    answer({ message: 'busy' }, 429, { 'retry-after': '100' }),
  )
  await until(/failed/)
  t.same(waits, [100_000])
  abort.abort()
  await done
})

t.test('An API server that is away for long is watched from where it was, without a new list', async t => {
  const away: Answering = (_, response) => void response.destroy()
  const busy = answer({ message: 'starting' }, 503)
  const outage = [away, away, away, away, busy, busy, busy, busy]
  const { api, until, rows } = await stage(
    t,
    listOf([nodeObject('a')], '10'),
    ...outage,
    watchOf([['ADDED', nodeObject('b', '11')]]),
  )
  const lines = await until(/b has/)
  t.equal(lines.filter(line => line.startsWith('all')).length, 1)
  t.equal(api.asked.at(-1)?.query.get('resourceVersion'), '10')
  t.same(rows, [1, 2, 3, 4, 5, 6, 7, 8])
})

t.test('A server that lists but refuses to be watched is asked less and less often', async t => {
  const refusal = answer({ message: 'nodes is forbidden' }, 403)
  const { until, rows } = await stage(
    t,
    listOf([]),
    refusal,
    refusal,
    refusal,
    listOf([]),
    refusal,
    watchOf([['ADDED', nodeObject('a')]]),
  )
  await until(/a has/)
  t.same(rows, [1, 2, 3, 4])
})

t.test('A failure after a success is the first one again', async t => {
  const broken: Answering = (_, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: nodeObject('a', '11') })}\n`)
    setImmediate(() => response.destroy())
  }
  const { until, rows } = await stage(
    t,
    listOf([]),
    broken,
    broken,
    broken,
    broken,
    watchOf([['ADDED', nodeObject('b')]]),
  )
  const lines = await until(/b has/)
  t.same(rows, [1, 1, 1, 1])
  t.equal(lines.filter(line => line.startsWith('all')).length, 1)
})

t.test('A connection that breaks, also within a line, costs nothing but time', async t => {
  const broken: Answering = (_, response) => {
    response.write(`${JSON.stringify({ type: 'ADDED', object: nodeObject('a', '11') })}\n{"type": "ADD`)
    setImmediate(() => response.destroy())
  }
  const { api, until } = await stage(t, listOf([]), broken, watchOf([['ADDED', nodeObject('b', '12')]]))
  const lines = await until(/b has/)
  t.ok(lines.includes('a has 1'))
  t.equal(api.asked.at(-1)?.query.get('resourceVersion'), '11')
})

t.test('An event that cannot be read leads to a new list after some tries', async t => {
  const garbled: Answering = (_, response) => void response.end('not JSON\n')
  const { until } = await stage(t, listOf([]), garbled, garbled, garbled, listOf([nodeObject('a')]), QUIET)
  const lines = await until(/all: a/)
  t.equal(lines.filter(line => line.startsWith('failed')).length, 3)
})

t.test('An object that cannot be read is named and passed over', async t => {
  const odd = { metadata: { name: 'NOT A NAME', resourceVersion: '11' } }
  const { until } = await stage(
    t,
    listOf([odd, nodeObject('a')]),
    watchOf([
      ['ADDED', odd],
      ['ADDED', nodeObject('b', '12')],
    ]),
  )
  const lines = await until(/b has/)
  t.match(lines[0], /warning: Passed over an object/)
  t.equal(lines[1], 'all: a')
})

t.test('A server that ends every watch at once is not asked without a pause', async t => {
  for (const events of [[], [['BOOKMARK', nodeObject('', '11')]]] as const) {
    const { until } = await stageBy(() => 0, t, listOf([]), watchOf(events, false), QUIET)
    t.match((await until(/failed/)).at(-1), /ended the watch at once/)
  }
})

t.test('What is no list is refused', async t => {
  const { until } = await stage(t, answer({ kind: 'Status' }), answer('x'), listOf([]), QUIET)
  t.equal((await until(/all: /)).filter(line => /something else/.test(line)).length, 2)
})

t.test('An API server that is not there is a failure, and the next try may find it', async t => {
  const refused: Answering = (_, response) => void response.destroy()
  const { until } = await stage(t, refused, listOf([nodeObject('a')]), QUIET)
  const lines = await until(/all: a/)
  t.match(lines[0], /^failed: Cannot reach the API server at http:/)
})

t.test('A watch ends at once with its signal, whatever it is about', async t => {
  const never: Answering = () => {}
  for (const answers of [
    [never],
    [listOf([], '10', 'next'), never],
    [listOf([]), never],
    [listOf([]), QUIET],
  ]) {
    const { api, diary, abort, done } = await stage(t, ...answers)
    while (api.asked.length < answers.length) await new Promise(setImmediate)
    abort.abort()
    await done
    t.notOk(diary.some(line => line.startsWith('failed')))
  }
})
