import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../cni/spec/error.ts'
import { spreadRetryMs } from './core/backoff.ts'
import type { Log } from './core/log.ts'
import { type ListPage, parseListPage, parseWatchEvent, type WatchEvent } from './core/watch-event.ts'
import { type Api, ApiError } from './edge/kubernetes.ts'

/** Who is told what the API server knows. */
export interface Sink<T> {
  /** All objects there are: the first news, and again whenever the thread was lost. */
  synced(items: T[]): void
  /** One object is new or changed. */
  changed(item: T): void
  deleted(item: T): void
  /** The API server has said something, or is listening. */
  heard(): void
  /** Something went wrong; the next try is so many milliseconds away. */
  failed(error: unknown, retryInMs: number): void
}

/** What is watched. */
export interface WatchOptions<T> {
  readonly api: Api
  /** The collection: `/api/v1/nodes`. */
  readonly path: string
  /** Reads an object, and throws for one that nobody can use. */
  readonly parse: (object: unknown) => T
  readonly sink: Sink<T>
  readonly log: Log
  readonly now: () => number
  /** From 0 to 1. */
  readonly random?: () => number
  readonly retryMs?: typeof spreadRetryMs
}

/** Objects in one answer: thousands at a time would be held in memory whole. */
const PAGE = 500
/** A watch is asked to end after that long, and up to a quarter less: then another API server may take its share. */
const WATCH_SECONDS = 300
/** A watch that ends sooner, and has said nothing, is no watch. */
const SHORTEST_WATCH_MS = 1_000
/** After so many failures in a row all is listed anew: perhaps it is one event that cannot be read. */
const PATIENCE = 3

/**
 * Follows a collection of the API server until the signal: lists it, then watches from there. It goes on from the last
 * version it has heard of after a failure, and lists anew when the server no longer knows that version.
 */
export async function watch<T>(options: WatchOptions<T>, signal: AbortSignal): Promise<void> {
  const { sink, random = Math.random, retryMs = spreadRetryMs } = options
  const thread: Thread = { version: undefined }
  for (let failures = 0; !signal.aborted;) {
    try {
      thread.version ??= await list(options, signal)
      await follow(options, thread, signal, () => (failures = 0))
    } catch (error) {
      if (signal.aborted) return
      failures += 1
      if (isGone(error) || failures >= PATIENCE) thread.version = undefined
      const wait = Math.max(
        retryMs(failures, random()),
        error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0,
      )
      sink.failed(error, wait)
      await sleep(wait, undefined, { signal }).catch(() => {})
    }
  }
}

/** How far the collection is known. */
interface Thread {
  version: string | undefined
}

const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 410

/** Lists the collection page by page, and returns the version to go on from. */
async function list<T>(
  { api, path, parse, sink, log }: WatchOptions<T>,
  signal: AbortSignal,
): Promise<string> {
  const items: T[] = []
  let page: ListPage | undefined
  do {
    const query = { limit: String(PAGE), ...(page?.next === undefined ? {} : { continue: page.next }) }
    page = parseListPage(await api.get(path, query, signal))
    sink.heard()
    for (const object of page.items) items.push(...read(object, parse, log))
  } while (page.next !== undefined)
  sink.synced(items)
  return page.version
}

/** Watches until the server ends it, which is no failure, or something breaks. */
async function follow<T>(
  { api, path, parse, sink, log, now, random = Math.random }: WatchOptions<T>,
  thread: Thread,
  signal: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  const started = now()
  const query = {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: thread.version ?? '',
    timeoutSeconds: String(Math.round(WATCH_SECONDS * (1 - random() / 4))),
  }
  let isSilent = true
  const lines = await api.lines(path, query, signal)
  sink.heard()
  for await (const line of lines) {
    const event = parseWatchEvent(line)
    if (event.kind === 'error')
      throw new ApiError(`The API server ended the watch: ${event.message}`, event.code)
    isSilent = false
    succeeded()
    sink.heard()
    tell(event, parse, sink, log)
    thread.version = event.version ?? thread.version
  }
  if (isSilent && now() - started < SHORTEST_WATCH_MS)
    throw new ApiError('The API server ended the watch at once')
  succeeded()
  sink.heard()
}

function tell<T>(
  event: Exclude<WatchEvent, { kind: 'error' }>,
  parse: WatchOptions<T>['parse'],
  sink: Sink<T>,
  log: Log,
) {
  if (event.kind === 'bookmark') return
  for (const item of read(event.object, parse, log)) sink[event.kind](item)
}

/** An object, or nothing when it cannot be read: the others are not to wait for it. */
function read<T>(object: unknown, parse: WatchOptions<T>['parse'], log: Log): T[] {
  try {
    return [parse(object)]
  } catch (error) {
    log.warn({}, `Passed over an object of the API server's: ${messageOf(error)}`)
    return []
  }
}
