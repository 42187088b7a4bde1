import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { messageOf } from '../../cni/spec/error.ts'
import type { Log } from '../core/log.ts'

/** One answer. */
export interface Page {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

export interface ServerOptions {
  readonly address: string
  readonly port: number
  /** What answers, by path. */
  readonly pages: Readonly<Record<string, () => Page | Promise<Page>>>
  readonly log: Log
  /** {@link PATIENCE_MS} unless told. */
  readonly patienceMs?: number
}

/** After that long without a word either way, or with a request that is still not complete, a connection is closed. */
const PATIENCE_MS = 5_000
/** Connections at a time: a kubelet and a few Prometheus servers need one each, for milliseconds. */
const CONNECTIONS = 32
/** How long to wait before listening is tried again. */
const RETRY_MS = 1_000

/**
 * Serves pages over HTTP until it is disposed of. It retries for ever when it cannot listen (the port is taken, the
 * address is not there yet), and says so when the reason changes.
 */
export function serve(options: ServerOptions): Disposable {
  const { pages, log, patienceMs = PATIENCE_MS } = options
  const server = createServer(
    {
      headersTimeout: patienceMs,
      requestTimeout: patienceMs,
      connectionsCheckingInterval: patienceMs,
    },
    (request, response) => void answer(request, response, pages, log),
  )
  server.setTimeout(patienceMs)
  const connections = new Set<Socket>()
  server.on('connection', socket => admit(connections, socket))
  const closing = keepListening(server, options)
  return {
    [Symbol.dispose]: () => {
      closing.abort()
      for (const socket of connections) socket.destroy()
    },
  }
}

/** Listens, and tries again as long as that fails, until it is aborted: then the server closes. */
function keepListening(server: Server, { address: host, port, pages, log }: ServerOptions): AbortController {
  const closing = new AbortController()
  const { signal } = closing
  const listen = (): void => void server.listen({ host, port })
  let problem: string | undefined
  let timer: NodeJS.Timeout | undefined
  server.on('listening', () => {
    problem = undefined
    const url = urlOf(host, (server.address() as AddressInfo).port)
    log.info({ url }, `Serving ${Object.keys(pages).join(', ')} at ${url}`)
  })
  server.on('error', error => {
    if (signal.aborted) return
    if (error.message !== problem)
      log.warn(
        { url: urlOf(host, port) },
        `Cannot serve at ${urlOf(host, port)}: ${error.message}; trying again`,
      )
    problem = error.message
    if (!server.listening) timer = setTimeout(listen, RETRY_MS)
  })
  signal.addEventListener('abort', () => {
    clearTimeout(timer)
    server.close()
  })
  listen()
  return closing
}

const urlOf = (host: string, port: number): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`

/**
 * Takes a connection in. When there are too many the oldest goes: an honest client has its answer within milliseconds,
 * so somebody who opens connections and keeps them (every pod can) cannot shut the kubelet out.
 */
function admit(connections: Set<Socket>, socket: Socket): void {
  connections.add(socket)
  socket.on('close', () => connections.delete(socket))
  if (connections.size <= CONNECTIONS) return
  const [oldest] = connections
  oldest?.destroy()
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  pages: ServerOptions['pages'],
  log: Log,
): Promise<void> {
  // A body that nobody wants is not waited for: the connection ends with the answer.
  response.setHeader('Connection', 'close')
  const path = request.url?.split('?')[0] ?? ''
  const page = Object.hasOwn(pages, path) ? pages[path] : undefined
  if (page === undefined) return send(response, plain(404, 'There is no such page\n'))
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(response, plain(405, 'Only GET and HEAD are allowed\n'))
  }
  try {
    send(response, await page())
  } catch (error) {
    log.error({ path }, `Cannot answer ${path}: ${messageOf(error)}`)
    send(response, plain(500, 'This page failed; the log says why\n'))
  }
}

/** A page of plain text. */
export const plain = (status: number, text: string): Page => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  text,
})

function send(response: ServerResponse, { status, contentType, text }: Page): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) })
  response.end(text)
}
