import { writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { answer, type Answering, FakeApi } from '../../test/support/api.ts'
import { makeCertificate } from '../../test/support/certificate.ts'
import { type Api, openApi, TooLargeError } from './kubernetes.ts'

const { signal } = new AbortController()
const get = (api: Api): Promise<unknown> => api.get('/api/v1/nodes', { limit: '1' }, signal)

/** The lines of a watch, or the error that ends them. */
async function linesOf(api: Api): Promise<string[]> {
  const lines: string[] = []
  for await (const line of await api.lines('/watch', {}, 60_000, signal)) lines.push(line)
  return lines
}

/** A kubeconfig with other text in it. */
function rewrite(t: Test, text: string): string {
  const folder = t.testdir({ kubeconfig: text })
  return `${folder}/kubeconfig`
}

t.test('get() asks for a path with a query, and reads the JSON', async t => {
  const fake = await FakeApi.start(t, answer({ kind: 'NodeList' }))
  t.same(await get(openApi(fake.kubeconfig)), { kind: 'NodeList' })
  t.equal(fake.asked[0]?.path, '/api/v1/nodes')
  t.equal(fake.asked[0]?.query.get('limit'), '1')
  t.equal(fake.asked[0]?.headers.authorization, 'Bearer secret')
})

t.test('get() uses a token that was renewed meanwhile', async t => {
  const fake = await FakeApi.start(t, answer({}))
  const config = (token: string) => `
clusters: [{name: c, cluster: {server: "http://127.0.0.1:${fake.port}", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: ${token}}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`
  const file = rewrite(t, config('old'))
  const api = openApi(file)
  await get(api)
  writeFileSync(file, config('new'))
  await get(api)
  t.same(
    fake.asked.map(({ headers }) => headers.authorization),
    ['Bearer old', 'Bearer new'],
  )
})

t.test('A refusal is told with its status, its message and what to do', async t => {
  const cases: readonly [Answering, number, RegExp][] = [
    [
      answer({ message: 'nodes is forbidden' }, 403),
      403,
      /answered 403: nodes is forbidden; see .*ClusterRole/,
    ],
    [answer({ message: 'Unauthorized' }, 401), 401, /answered 401: Unauthorized; see .*ServiceAccount/],
    [answer({ kind: 'Status' }, 500), 500, /answered 500: \{"kind":"Status"\}$/],
    [answer(null, 502), 502, /answered 502: null$/],
    [(_, response) => void response.writeHead(504).end('no upstream\nat all'), 504, /504: no upstream$/],
    [(_, response) => void response.writeHead(500).end('x'.repeat(1e6)), 500, /500: x{200}$/],
  ]
  for (const [answering, status, message] of cases) {
    const api = openApi((await FakeApi.start(t, answering)).kubeconfig)
    await t.rejects(get(api), { status, message })
    await t.rejects(linesOf(api), { status, message })
  }
})

t.test('Retry-After is told in milliseconds, and nothing else that stands there', async t => {
  for (const [text, retryAfterMs] of [
    ['7', 7000],
    ['0', undefined],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ] as const) {
    const fake = await FakeApi.start(t, answer({ message: 'busy' }, 429, { 'retry-after': text }))
    const error = await get(openApi(fake.kubeconfig)).catch((error: unknown) => error)
    t.equal((error as { retryAfterMs?: number }).retryAfterMs, retryAfterMs)
  }
})

t.test('An answer that is no JSON is refused', async t => {
  const fake = await FakeApi.start(t, (_, response) => void response.end('<html>'))
  await t.rejects(get(openApi(fake.kubeconfig)), { status: 200, message: /answered with no JSON/ })
})

t.test('A server that does not answer is given up on', async t => {
  const fake = await FakeApi.start(t, () => {})
  const expected = {
    status: undefined,
    message: /^Cannot reach the API server at http:.*nothing came for 0.05 s$/,
  }
  await t.rejects(get(openApi(fake.kubeconfig, { answerMs: 50 })), expected)
  await t.rejects(linesOf(openApi(fake.kubeconfig, { answerMs: 50 })), expected)
})

t.test('A document that stops in the middle is given up on', async t => {
  const fake = await FakeApi.start(t, (_, response) => void response.write('{"items":['))
  const message = /^The connection to the API server broke: nothing came for 0.05 s$/
  await t.rejects(get(openApi(fake.kubeconfig, { answerMs: 50 })), { status: 200, message })
})

t.test('A document that is too large is not read to its end, and told from other failures', async t => {
  const fake = await FakeApi.start(t, answer('x'.repeat(98)), answer('x'.repeat(99)))
  const api = openApi(fake.kubeconfig, { maxDocument: 100 })
  t.equal(await get(api), 'x'.repeat(98))
  const error = await get(api).catch((error: unknown) => error)
  t.ok(error instanceof TooLargeError)
  t.match(error, {
    status: 200,
    message: /^Cannot read \/api\/v1\/nodes: the answer has more than 100 characters$/,
  })
})

t.test('A watch that falls silent is given up on after the time that was given for it', async t => {
  const fake = await FakeApi.start(t, (_, response) => void response.write('one\n'))
  const lines: string[] = []
  const follow = async () => {
    const api = openApi(fake.kubeconfig)
    for await (const line of await api.lines('/watch', {}, 50, signal)) lines.push(line)
  }
  await t.rejects(follow(), { status: 200, message: /broke: nothing came for 0.05 s$/ })
  t.same(lines, ['one'])
})

t.test('lines() puts together what comes in pieces, also in the middle of a character', async t => {
  const bytes = Buffer.from('{"name":"knödel"}\nsecond\n')
  const fake = await FakeApi.start(t, (_, response) => {
    let at = 0
    const next = (): void => {
      if (at === bytes.length) response.end()
      else response.write(bytes.subarray(at, ++at), () => setImmediate(next))
    }
    next()
  })
  t.same(await linesOf(openApi(fake.kubeconfig)), ['{"name":"knödel"}', 'second'])
})

t.test('A line that is cut off is not told', async t => {
  const fake = await FakeApi.start(t, (_, response) => void response.end('one\n{"type":'))
  await t.rejects(linesOf(openApi(fake.kubeconfig)), { status: 200, message: /middle of a line/ })
})

t.test('A line without end is given up on before it fills the memory', async t => {
  const fake = await FakeApi.start(t, (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(1 << 20)));
    }
    response.on('drain', more)
    more()
  })
  await t.rejects(linesOf(openApi(fake.kubeconfig)), { status: 200, message: /a line does not end/ })
})

t.test('A name whose addresses all refuse says so', async t => {
  const file = rewrite(
    t,
    `
clusters: [{name: c, cluster: {server: "http://localhost:1", insecure-skip-tls-verify: true}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`,
  )
  await t.rejects(get(openApi(file)), {
    status: undefined,
    message: /^Cannot reach the API server at http:\/\/localhost:1: .*ECONNREFUSED/,
  })
})

t.test('Without a way to the API server it is said what is missing', async t => {
  const folder = t.testdir({ empty: 'clusters: []', broken: '{{{' })
  for (const [file, message] of [
    [undefined, /^Cannot find the way to the API server: this is no pod; give --kubeconfig=FILE$/],
    ['/nowhere/kubeconfig', /^Cannot find the way to the API server: ENOENT.*\/nowhere\/kubeconfig/],
    [`${folder}/empty`, /empty names no cluster in its current context$/],
    [`${folder}/broken`, /^Cannot find the way to the API server: unexpected end/],
  ] as const)
    await t.rejects(get(openApi(file)), { status: undefined, message })
})

t.test('A server is trusted by the certificate authority given, and by no other', async t => {
  const [ours, other] = [makeCertificate(), makeCertificate()]
  const trusted = await FakeApi.startSecure(t, ours, ours.cert, answer({ kind: 'NodeList' }))
  t.same(await get(openApi(trusted.kubeconfig)), { kind: 'NodeList' })
  const stranger = await FakeApi.startSecure(t, ours, other.cert, answer({}))
  await t.rejects(get(openApi(stranger.kubeconfig)), {
    status: undefined,
    message: /self-signed certificate; see whether it is the one that the given certificate authority/,
  })
  t.same(stranger.asked, [])
})

t.test('A clock that is wrong is suspected when a certificate is too old or too new', async t => {
  for (const [days, problem] of [
    [{ from: -3, to: -2 }, 'certificate has expired'],
    [{ from: 2, to: 3 }, 'certificate is not yet valid'],
  ] as const) {
    const certificate = makeCertificate(days)
    const fake = await FakeApi.startSecure(t, certificate, certificate.cert, answer({}))
    await t.rejects(get(openApi(fake.kubeconfig)), {
      status: undefined,
      message: new RegExp(`${problem}; see whether the clock of this node is right$`),
    })
  }
})
