import { setTimeout as sleep } from 'node:timers/promises'
import { heedMs, spreadRetryMs } from './core/backoff.ts'
import { Thread } from './core/thread.ts'
import { parseWatchEvent, type WatchEvent } from './core/watch-event.ts'
import { ApiError } from './edge/kubernetes.ts'
import { list, type ListOptions, read } from './list.ts'

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
export interface WatchOptions<T> extends ListOptions<T> {
  readonly sink: Sink<T>
  readonly now: () => number
  /** From 0 to 1. */
  readonly random?: () => number
  readonly retryMs?: typeof spreadRetryMs
}

/** A watch is asked to end after that long, and up to a quarter less: then another API server may take its share. */
const WATCH_SECONDS = 300
/** How much longer a watch may be silent: API servers send a bookmark every minute, but promise none. */
const MARGIN_SECONDS = 30
/** A watch that ends sooner is followed by a pause, as a failure is. */
const SHORTEST_WATCH_MS = 1_000

/**
 * Follows a collection of the API server until the signal: lists it, then watches from there. It goes on from the last
 * version it has heard of after a failure, and lists anew when the server no longer knows that version.
 */
export async function watch<T>(options: WatchOptions<T>, signal: AbortSignal): Promise<void> {
  const { sink, random = Math.random, retryMs = spreadRetryMs } = options
  const thread = new Thread()
  while (!signal.aborted) {
    try {
      if (thread.version === undefined) thread.listed(await listAll(options, signal))
      await follow(options, thread, signal)
    } catch (error) {
      if (signal.aborted) return
      // What is no error of the API's is an answer that nobody could read.
      const { status, retryAfterMs } = error instanceof ApiError ? error : { status: 200 }
      thread.lost(status)
      const wait = heedMs(retryMs(thread.failures, random()), retryAfterMs)
      sink.failed(error, wait)
      await sleep(wait, undefined, { signal }).catch(() => {})
    }
  }
}

/** Tells the sink all there is, and returns the version to go on from. */
async function listAll<T>(options: WatchOptions<T>, signal: AbortSignal): Promise<string> {
  const { items, version } = await list(options, signal, () => options.sink.heard())
  options.sink.synced(items)
  return version
}

/** Watches until the server ends it, which is no failure, or something breaks. */
async function follow<T>(
  { api, path, parse, sink, log, now, random = Math.random }: WatchOptions<T>,
  thread: Thread,
  signal: AbortSignal,
): Promise<void> {
  const started = now()
  const seconds = Math.round(WATCH_SECONDS * (1 - random() / 4))
  const query = {
    watch: 'true',
    allowWatchBookmarks: 'true',
    resourceVersion: thread.version ?? '',
    timeoutSeconds: String(seconds),
  }
  const lines = await api.lines(path, query, (seconds + MARGIN_SECONDS) * 1000, signal)
  sink.heard()
  for await (const line of lines) {
    const event = parseWatchEvent(line)
    if (event.kind === 'error')
      throw new ApiError(`The API server ended the watch: ${event.message}`, event.code)
    sink.heard()
    tell(event, parse, sink, log)
    thread.found(event.version)
  }
  if (now() - started < SHORTEST_WATCH_MS) throw new ApiError('The API server ended the watch at once', 200)
  thread.found(undefined)
  sink.heard()
}

function tell<T>(
  event: Exclude<WatchEvent, { kind: 'error' }>,
  parse: WatchOptions<T>['parse'],
  sink: Sink<T>,
  log: WatchOptions<T>['log'],
) {
  if (event.kind === 'bookmark') return
  for (const item of read(event.object, parse, log)) sink[event.kind](item)
}
