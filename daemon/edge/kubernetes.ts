import { get as getPlain, type IncomingMessage, type RequestOptions } from 'node:http'
import { get as getSecure } from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { KubeConfig } from '@kubernetes/client-node'
import { messageOf } from '../../cni/spec/error.ts'

/** How to ask the API server. */
export interface Api {
  /** GETs a JSON document. Throws {@link ApiError}. */
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown>
  /**
   * GETs a document that comes line by line, as a watch does; the server has agreed when this returns. Throws
   * {@link ApiError}, also when nothing comes for {@link SILENCE_MS}: API servers send a bookmark every minute.
   */
  lines(path: string, query: Query, signal: AbortSignal): Promise<AsyncIterable<string>>
}

export type Query = Readonly<Record<string, string>>

/** The API server refused, or could not be reached. */
export class ApiError extends Error {
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, status?: number, retryAfterMs?: number) {
    super(message)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** How long a connection may be silent. */
const SILENCE_MS = 150_000
/** After that long without a word the kernel asks the other end whether it is still there, ten times in ten seconds. */
const KEEP_ALIVE_MS = 30_000
/** Far more than any object: etcd takes none over 1.5 MiB. */
const MAX_LINE = 16 * 1024 * 1024
const MAX_DOCUMENT = 256 * 1024 * 1024

const ADVICE: Readonly<Record<number, string>> = {
  401: 'see whether the ServiceAccount "podwire" and its token are there',
  403: 'see whether the ClusterRole "podwire" and its binding are there',
  429: 'the API server is busy',
}

/**
 * Opens the way to the API server: by a kubeconfig file or, without one, as a pod does. Credentials are read for each
 * request, because tokens and certificates are renewed while the daemon runs.
 */
export function openApi(kubeconfig: string | undefined): Api {
  return {
    get: async (path, query, signal) => {
      const chunks: string[] = []
      let length = 0
      for await (const chunk of textOf(await request(kubeconfig, path, query, signal))) {
        chunks.push(chunk)
        length += chunk.length
        if (length > MAX_DOCUMENT) throw new ApiError(`Cannot read ${path}: the answer does not end`)
      }
      return JSON.parse(chunks.join(''))
    },
    lines: async (path, query, signal) => linesOf(path, await request(kubeconfig, path, query, signal)),
  }
}

async function* linesOf(path: string, response: IncomingMessage): AsyncIterable<string> {
  let rest = ''
  for await (const chunk of textOf(response)) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > MAX_LINE) throw new ApiError(`Cannot read ${path}: a line does not end`)
    yield* lines
  }
  if (rest !== '') throw new ApiError(`Cannot read ${path}: the connection broke in the middle of a line`)
}

async function* textOf(response: IncomingMessage): AsyncIterable<string> {
  const decoder = new StringDecoder('utf8')
  try {
    for await (const chunk of response) yield decoder.write(chunk as Buffer)
  } catch (error) {
    throw new ApiError(`The connection to the API server broke: ${messageOf(error)}`)
  }
}

async function request(
  kubeconfig: string | undefined,
  path: string,
  query: Query,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { url, options } = await address(kubeconfig, path, query)
  const response = await send(url, { ...options, signal, timeout: SILENCE_MS })
  if (response.statusCode === 200) return response
  throw await refusal(url, response)
}

/** Where a request goes, with the credentials for it. */
async function address(kubeconfig: string | undefined, path: string, query: Query) {
  const config = new KubeConfig()
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
  else if (process.env['KUBERNETES_SERVICE_HOST']) config.loadFromCluster()
  else throw new ApiError('Cannot find the API server: this is no pod; give --kubeconfig=FILE')
  const server = config.getCurrentCluster()?.server
  if (server === undefined)
    throw new ApiError(`Cannot find the API server: ${kubeconfig} names no cluster in its current context`)
  const url = new URL(server.replace(/\/$/, '') + path)
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
  const options: RequestOptions = { headers: { Accept: 'application/json', 'User-Agent': 'podwired' } }
  await config.applyToHTTPSOptions(options)
  return { url, options }
}

function send(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getSecure : getPlain
    const sent = get(url, options, resolve)
    sent.on('socket', socket => socket.setKeepAlive(true, KEEP_ALIVE_MS))
    sent.on('timeout', () => sent.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)))
    sent.on('error', error =>
      reject(new ApiError(`Cannot reach the API server at ${url.origin}: ${messageOf(error)}`)),
    )
  })
}

/** What a server said that did not do as asked. */
async function refusal(url: URL, response: IncomingMessage): Promise<ApiError> {
  const status = response.statusCode ?? 0
  let text = ''
  for await (const chunk of textOf(response)) if (text.length < 4096) text += chunk
  const advice = ADVICE[status]
  const seconds = Number(response.headers['retry-after'])
  return new ApiError(
    `Cannot get ${url.pathname} from ${url.origin}: it answered ${status}: ${messageIn(text)}${advice === undefined ? '' : `; ${advice}`}`,
    status,
    seconds > 0 ? seconds * 1000 : undefined,
  )
}

/** The message of a Status object, or the first line of whatever it is. */
function messageIn(text: string): string {
  try {
    return String((JSON.parse(text) as { message?: unknown }).message)
  } catch {
    return text.split('\n')[0]?.slice(0, 200) ?? ''
  }
}
