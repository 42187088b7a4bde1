import { messageOf } from '../cni/spec/error.ts'
import type { Log } from './core/log.ts'
import { type ListPage, parseListPage } from './core/watch-event.ts'
import { type Api, TooLargeError } from './edge/kubernetes.ts'

/** Objects in one answer, which is held in memory whole: with 5,000 Nodes, 500 take 60 MB more at a start. */
const PAGE = 250

/** What is listed. */
export interface ListOptions<T> {
  readonly api: Api
  /** The collection: `/api/v1/nodes`. */
  readonly path: string
  /** Reads an object, and throws for one that nobody can use. */
  readonly parse: (object: unknown) => T
  readonly log: Pick<Log, 'warn'>
}

/** All objects of a collection that can be read. */
export interface Listed<T> {
  readonly items: T[]
  /** Where a watch goes on from. */
  readonly version: string
}

/** Lists a collection page by page; `heard` is called after each. Throws ApiError, or what is wrong with an answer. */
export async function list<T>(
  { api, path, parse, log }: ListOptions<T>,
  signal: AbortSignal,
  heard = (): void => {},
): Promise<Listed<T>> {
  const items: T[] = []
  let page: ListPage | undefined
  do {
    const next: object = page?.next === undefined ? {} : { continue: page.next }
    page = await getPage(query => api.get(path, { ...query, ...next }, signal))
    heard()
    for (const object of page.items) items.push(...read(object, parse, log))
  } while (page.next !== undefined)
  return { items, version: page.version }
}

/**
 * Gets a page, with fewer objects where so many are too large: else whoever may write large ones would keep everybody from
 * being listed. The API server takes another limit with each page.
 */
async function getPage(
  get: (query: { readonly limit: string }) => Promise<unknown>,
  limit = PAGE,
): Promise<ListPage> {
  try {
    return parseListPage(await get({ limit: String(limit) }))
  } catch (error) {
    if (!(error instanceof TooLargeError) || limit === 1) throw error
    return await getPage(get, limit >> 1)
  }
}

/** An object, or nothing when it cannot be read: the others are not to wait for it. */
export function read<T>(object: unknown, parse: ListOptions<T>['parse'], log: ListOptions<T>['log']): T[] {
  try {
    return [parse(object)]
  } catch (error) {
    log.warn({}, `Passed over an object of the API server's: ${messageOf(error)}`)
    return []
  }
}
