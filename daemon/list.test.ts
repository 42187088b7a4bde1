import t, { type Test } from 'tap'
import { type Answering, FakeApi, listOf, nodeObject } from '../test/support/api.ts'
import { parseNode } from './core/node.ts'
import { openApi } from './edge/kubernetes.ts'
import { list } from './list.ts'

/** An API server with nodes whose objects have these lengths beside the usual, and a client that takes 10,000 characters. */
async function stage(t: Test, ...lengths: readonly number[]) {
  const objects = lengths.map((length, i) => ({ ...nodeObject(`n${i}`), status: 'x'.repeat(length) }))
  const page: Answering = (asked, response) => {
    const from = Number(asked.query.get('continue') ?? 0)
    const to = from + Number(asked.query.get('limit'))
    listOf(objects.slice(from, to), '10', to < objects.length ? `${to}` : undefined)(asked, response)
  }
  const fake = await FakeApi.start(t, page)
  const api = openApi(fake.kubeconfig, { maxDocument: 10_000 })
  const options = { api, path: '/api/v1/nodes', parse: parseNode, log: { warn: () => t.fail() } }
  return {
    list: () => list(options, new AbortController().signal),
    asked: () => fake.asked.map(({ query }) => `${query.get('continue') ?? 0}: ${query.get('limit')}`),
  }
}

t.test(
  'A page that is too large is asked for with half as many objects, and the next one in full',
  async t => {
    const lengths = [...Array.from({ length: 20 }, () => 1_000), ...Array.from({ length: 30 }, () => 0)]
    const { list, asked } = await stage(t, ...lengths)
    const { items, version } = await list()
    t.same(
      items.map(({ name }) => name),
      lengths.map((_, i) => `n${i}`),
    )
    t.equal(version, '10')
    const halves = (from: number) => [250, 125, 62, 31, 15, 7].map(limit => `${from}: ${limit}`)
    t.same(asked(), [...halves(0), ...halves(7), '14: 250'])
  },
)

t.test('A collection with an object that is too large by itself is named', async t => {
  const { list, asked } = await stage(t, 20_000)
  await t.rejects(list(), {
    message: /^Cannot read \/api\/v1\/nodes: the answer has more than 10000 characters$/,
  })
  t.same(
    asked(),
    [250, 125, 62, 31, 15, 7, 3, 1].map(limit => `0: ${limit}`),
  )
})
