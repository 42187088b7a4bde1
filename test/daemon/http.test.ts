import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { plain, serve, type ServerOptions } from '../../daemon/edge/http.ts'

const DEADLINE_MS = 10_000

/** A server on a free port of its own, and what it says. */
function stage(t: Test, options: Partial<ServerOptions> = {}) {
  const said: string[] = []
  const listeners = new Set<() => void>()
  const say = (level: string) => (_: object, message: string) => {
    said.push(`${level} ${message}`)
    for (const listener of listeners) listener()
  }
  const server = serve({
    address: '127.0.0.1',
    port: 0,
    pages: {
      '/healthz': () => plain(200, 'alive\n'),
      '/readyz': async () => plain(503, 'not ready: näher\n'),
      '/broken': () => {
        throw new Error('Cannot count: no fingers')
      },
    },
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    ...options,
  })
  t.teardown(() => server[Symbol.dispose]())
  /** Waits until something is said, and answers it. */
  const heard = (what: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`never said ${what}: ${said.join('; ')}`)), DEADLINE_MS)
      const look = () => {
        const line = said.find(each => what.test(each))
        if (line === undefined) return
        clearTimeout(timer)
        listeners.delete(look)
        resolve(line)
      }
      listeners.add(look)
      look()
    })
  const port = async () => Number(/:(\d+)$/.exec(await heard(/^info Serving/))![1])
  return { server, said, heard, port }
}

/** One request and its answer. */
async function ask(port: number, path: string, method = 'GET', host = '127.0.0.1') {
  const asked = request({ host, port, path, method, agent: false }).end()
  const [response] = await once(asked, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, text: String(Buffer.concat(chunks)) }
}

/** A connection that is open. */
async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

t.test('serve() answers with its pages, and ends the connection', async t => {
  const port = await stage(t).port()
  const healthz = await ask(port, '/healthz?verbose')
  t.match(healthz, { status: 200, text: /^alive\n$/ })
  t.match(healthz.headers, { connection: 'close', 'content-type': 'text/plain; charset=utf-8' })
  t.match(await ask(port, '/readyz'), { status: 503, text: /^not ready: näher\n$/ })
})

t.test('serve() answers HEAD without a body', async t => {
  const port = await stage(t).port()
  const { status, headers, text } = await ask(port, '/readyz', 'HEAD')
  t.same([status, headers['content-length'], text], [503, '18', ''])
})

t.test('serve() refuses other paths and other methods', async t => {
  const port = await stage(t).port()
  for (const path of ['/', '/healthz/', '//healthz', '/toString', '/../healthz', '/__proto__'])
    t.equal((await ask(port, path)).status, 404, path)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask(port, '/healthz', method)
    t.same([status, headers.allow], [405, 'GET, HEAD'], method)
  }
})

t.test('serve() survives a page that fails, and says so', async t => {
  const { port, said } = stage(t)
  const { status, text } = await ask(await port(), '/broken')
  t.same([status, text], [500, 'This page failed; the log says why\n'])
  t.ok(said.includes('error Cannot answer /broken: Cannot count: no fingers'))
  t.equal((await ask(await port(), '/healthz')).status, 200)
})

t.test('serve() survives what is no HTTP, and who hangs up', async t => {
  const port = await stage(t).port()
  const talker = await open(port)
  talker.write('\u0000\u0001 nonsense\r\n\r\n')
  await once(talker.resume(), 'close')
  const quitter = await open(port)
  quitter.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  quitter.resetAndDestroy()
  t.equal((await ask(port, '/healthz')).status, 200)
})

/** Done when the server has ended it; to somebody who still writes that comes as a reset. */
const ended = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    socket
      .on('error', () => {})
      .on('close', () => resolve())
      .resume()
  })

t.test('serve() sends away who says nothing, and who never ends', async t => {
  const port = await stage(t, { patienceMs: 100 }).port()
  const silent = await open(port)
  await ended(silent)
  const endless = await open(port)
  const drip = setInterval(() => endless.write('a'), 10)
  endless.write('GET /healthz HTTP/1.1\r\nX: ')
  await ended(endless)
  clearInterval(drip)
  const slow = await open(port)
  slow.write('POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n')
  await ended(slow)
  t.pass('all three were closed')
})

t.test('serve() answers the kubelet while somebody hoards connections', async t => {
  const port = await stage(t).port()
  const hoard: Socket[] = []
  for (let i = 0; i < 32; i += 1) hoard.push(await open(port))
  const evicted = once(hoard[0]!, 'close')
  t.equal((await ask(port, '/healthz')).status, 200)
  await evicted
  t.equal(hoard.filter(socket => socket.destroyed).length, 1, 'the oldest had to go')
  for (const socket of hoard) socket.destroy()
})

t.test('serve() waits for its port, and says so once', async t => {
  const squatter = createServer().listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  const { port: taken } = squatter.address() as { port: number }
  const { heard, port, said } = stage(t, { port: taken })
  await heard(/^warn Cannot serve at http:\/\/127\.0\.0\.1:\d+: .*EADDRINUSE.*; trying again$/)
  squatter.close()
  t.equal(await port(), taken)
  t.equal((await ask(taken, '/healthz')).status, 200)
  t.equal(said.length, 2)
})

t.test('serve() waits for its address', async t => {
  const address = 'fd00:9117::1'
  const { heard, port } = stage(t, { address })
  await heard(/^warn Cannot serve at http:\/\/\[fd00:9117::1\]:0: .*EADDRNOTAVAIL/)
  execFileSync('ip', ['address', 'add', `${address}/128`, 'dev', 'lo', 'nodad'])
  t.teardown(() => execFileSync('ip', ['address', 'del', `${address}/128`, 'dev', 'lo']))
  t.equal((await ask(await port(), '/healthz', 'GET', address)).status, 200)
})

t.test('serve() ends at once, whoever is connected, and in whatever state', async t => {
  const script = `
    import { createServer } from 'node:net'
    import { serve } from '${import.meta.dirname}/../../daemon/edge/http.ts'
    const nothing = () => {}
    const options = { address: '127.0.0.1', log: { debug: nothing, info: nothing, warn: nothing, error: nothing } }
    using early = serve({ ...options, port: 0, pages: {} })
    early[Symbol.dispose]()
    const squatter = createServer().listen(0, '127.0.0.1', () => {
      const retrying = serve({ ...options, port: squatter.address().port, pages: {} })
      const info = ({ url }) => console.log(url)
      const pages = { '/slow': () => new Promise(() => console.log('asked')) }
      const serving = serve({ ...options, port: 0, pages, log: { ...options.log, info } })
      process.once('SIGTERM', () => {
        serving[Symbol.dispose]()
        retrying[Symbol.dispose]()
        squatter.close()
      })
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [url] = await once(child.stdout, 'data')
  const port = Number(/:(\d+)\n$/.exec(String(url))![1])
  const idle = await open(port)
  const waiting = await open(port)
  const asked = once(child.stdout, 'data')
  waiting.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')
  await asked
  const started = performance.now()
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
  t.ok(performance.now() - started < 1000)
  for (const socket of [idle, waiting]) socket.destroy()
})
