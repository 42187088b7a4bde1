import { get as getPlain, type IncomingMessage, type RequestOptions } from 'node:http'
import { get as getSecure } from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import { KubeConfig } from '@kubernetes/client-node'
import { messageOf } from '../../cni/spec/error.ts'

/** How to ask the API server. */
export interface Api {
  /** GETs a JSON document. Throws {@link ApiError}, a {@link TooLargeError} when there is too much of it. */
  get(path: string, query: Query, signal: AbortSignal): Promise<unknown>
  /**
   * GETs a document that comes line by line, as a watch does; the server has agreed when this returns. Throws
   * {@link ApiError}, also when nothing comes for `silenceMs` milliseconds.
   */
  lines(path: string, query: Query, silenceMs: number, signal: AbortSignal): Promise<AsyncIterable<string>>
}

/** What the API server may take us, in milliseconds and characters. */
export interface ApiLimits {
  readonly answerMs?: number
  readonly maxDocument?: number
}

export type Query = Readonly<Record<string, string>>

/** The API server refused, could not be reached, or broke off. */
export class ApiError extends Error {
  /** The HTTP status; undefined when there was no answer. An answer that broke off, or makes no sense, has its own. */
  readonly status: number | undefined
  /** How long the server asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, status?: number, retryAfterMs?: number) {
    super(message)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** An answer that is larger than we take: what it tells is to be asked for in smaller parts. */
export class TooLargeError extends ApiError {}

/** How long the API server may take to answer, and then to say the next bit of a document. */
const ANSWER_MS = 30_000
/**
 * How long a connection may take. After a boot the first is often tried before kube-proxy has made the API server's
 * address one: conntrack then remembers the packets as they were, and this connection never comes about.
 */
const CONNECT_MS = 3_000
/** After that long without a word the kernel asks the other end whether it is still there, ten times in ten seconds. */
const KEEP_ALIVE_MS = 30_000
/** Far more than any object: etcd takes none over 1.5 MiB. */
const MAX_LINE = 16 * 1024 * 1024
/** In characters. Pages of usual objects have a few million, and what has more can be had in smaller ones. */
const MAX_DOCUMENT = 32 * 1024 * 1024
const MAX_REFUSAL = 64 * 1024

const CLOCK = 'see whether the clock of this node is right'
const AUTHORITY = 'see whether it is the one that the given certificate authority belongs to'

/** What to do, by HTTP status or by the code of an error of TLS. */
const ADVICE: Readonly<Record<string | number, string>> = {
  401: 'see whether the ServiceAccount "podwire" and its token are there',
  403: 'see whether the ClusterRole "podwire" and its binding are there',
  429: 'the API server is busy',
  CERT_NOT_YET_VALID: CLOCK,
  CERT_HAS_EXPIRED: CLOCK,
  DEPTH_ZERO_SELF_SIGNED_CERT: AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: AUTHORITY,
}

const advised = (text: string, key: string | number): string =>
  ADVICE[key] === undefined ? text : `${text}; ${ADVICE[key]}`

/**
 * Opens the way to the API server: by a kubeconfig file or, without one, as a pod does. Credentials are read for each
 * request, because tokens and certificates are renewed while the daemon runs. `answerMs`: {@link ANSWER_MS};
 * `maxDocument`: {@link MAX_DOCUMENT}.
 */
export function openApi(
  kubeconfig: string | undefined,
  { answerMs = ANSWER_MS, maxDocument = MAX_DOCUMENT }: ApiLimits = {},
): Api {
  const request = async (path: string, query: Query, signal: AbortSignal): Promise<IncomingMessage> => {
    const { url, options } = await address(kubeconfig, path, query)
    const response = await send(url, { ...options, signal, timeout: answerMs })
    if (response.statusCode === 200) return response
    throw await refusal(url, response)
  }
  return {
    get: async (path, query, signal) => documentOf(path, await request(path, query, signal), maxDocument),
    lines: async (path, query, silenceMs, signal) => {
      const response = await request(path, query, signal)
      response.socket.setTimeout(silenceMs)
      return linesOf(path, response)
    },
  }
}

async function documentOf(path: string, response: IncomingMessage, max: number): Promise<unknown> {
  const chunks: string[] = []
  let length = 0
  for await (const chunk of textOf(response)) {
    chunks.push(chunk)
    length += chunk.length
    if (length > max)
      throw new TooLargeError(`Cannot read ${path}: the answer has more than ${max} characters`, 200)
  }
  try {
    return JSON.parse(chunks.join(''))
  } catch (error) {
    throw new ApiError(`Cannot read ${path}: the API server answered with no JSON: ${messageOf(error)}`, 200)
  }
}

async function* linesOf(path: string, response: IncomingMessage): AsyncIterable<string> {
  let rest = ''
  for await (const chunk of textOf(response)) {
    rest += chunk
    if (rest.length > MAX_LINE) throw new ApiError(`Cannot read ${path}: a line does not end`, 200)
    if (!chunk.includes('\n')) continue
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') throw new ApiError(`Cannot read ${path}: the answer ended in the middle of a line`, 200)
}

async function* textOf(response: IncomingMessage): AsyncIterable<string> {
  const decoder = new StringDecoder('utf8')
  try {
    for await (const chunk of response) yield decoder.write(chunk as Buffer)
  } catch (error) {
    throw new ApiError(`The connection to the API server broke: ${messageOf(error)}`, response.statusCode)
  }
}

/** Where a request goes, with the credentials for it. */
async function address(kubeconfig: string | undefined, path: string, query: Query) {
  try {
    const config = load(kubeconfig)
    const server = config.getCurrentCluster()?.server
    if (server === undefined) throw new Error(`${kubeconfig} names no cluster in its current context`)
    const url = new URL(server.replace(/\/$/, '') + path)
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value)
    const options: RequestOptions = { headers: { Accept: 'application/json', 'User-Agent': 'podwired' } }
    await config.applyToHTTPSOptions(options)
    return { url, options }
  } catch (error) {
    throw new ApiError(`Cannot find the way to the API server: ${messageOf(error)}`)
  }
}

function load(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig()
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
  else if (process.env['KUBERNETES_SERVICE_HOST']) config.loadFromCluster()
  else throw new Error('this is no pod; give --kubeconfig=FILE')
  return config
}

function send(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const get = url.protocol === 'https:' ? getSecure : getPlain
    let response: IncomingMessage | undefined
    const sent = get(url, options, answer => resolve((response = answer)))
    sent.on('socket', socket => {
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      const give = (): void => void sent.destroy(new Error(`no connection within ${CONNECT_MS / 1000} s`))
      const timer = setTimeout(give, CONNECT_MS)
      for (const event of [url.protocol === 'https:' ? 'secureConnect' : 'connect', 'close'])
        socket.once(event, () => clearTimeout(timer))
    })
    sent.on('timeout', () => {
      const seconds = (response?.socket.timeout ?? options.timeout ?? 0) / 1000
      ;(response ?? sent).destroy(new Error(`nothing came for ${seconds} s`))
    })
    sent.on('error', error => reject(unreachable(url, error)))
  })
}

/**
 * What kept a request from its answer. Of a name whose addresses all failed Node.js says nothing but a code, and of a
 * certificate it gives advice that is none for a user of this program.
 */
function unreachable({ origin }: URL, error: NodeJS.ErrnoException): ApiError {
  const { message, code = '' } = error
  const problem = ADVICE[code] === undefined ? message || code : message.split(';')[0]
  return new ApiError(advised(`Cannot reach the API server at ${origin}: ${problem}`, code))
}

/** What a server said that did not do as asked. */
async function refusal(url: URL, response: IncomingMessage): Promise<ApiError> {
  const status = response.statusCode ?? 0
  let text = ''
  for await (const chunk of textOf(response)) {
    text += chunk
    if (text.length > MAX_REFUSAL) break
  }
  const seconds = Number(response.headers['retry-after'])
  return new ApiError(
    advised(
      `Cannot get ${url.pathname} from ${url.origin}: it answered ${status}: ${messageIn(text)}`,
      status,
    ),
    status,
    seconds > 0 ? seconds * 1000 : undefined,
  )
}

/** The message of a Status object, or the first line of whatever it is. */
function messageIn(text: string): string {
  const line = text.split('\n')[0]?.slice(0, 200) ?? ''
  try {
    const { message } = JSON.parse(text) as { readonly message?: unknown }
    return typeof message === 'string' ? message : line
  } catch {
    return line
  }
}
