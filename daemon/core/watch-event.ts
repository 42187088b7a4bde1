import { isObject, type Json } from '../../cni/spec/read.ts'

/** What one line of a watch says. */
export type WatchEvent =
  | { readonly kind: 'changed' | 'deleted'; readonly object: unknown; readonly version: string | undefined }
  | { readonly kind: 'bookmark'; readonly version: string | undefined }
  /** The server cannot go on; `code` is an HTTP status: 410 when it no longer knows the version asked for. */
  | { readonly kind: 'error'; readonly code: number; readonly message: string }

/** One page of a list. */
export interface ListPage {
  readonly items: readonly unknown[]
  /** Where a watch goes on from. */
  readonly version: string
  /** Asks for the next page; undefined on the last. */
  readonly next: string | undefined
}

/** Reads a line of a watch (Kubernetes API concepts, "Efficient detection of changes"). Throws when it is none. */
export function parseWatchEvent(line: string): WatchEvent {
  const event: unknown = JSON.parse(line)
  const [type, object] = [at(event, 'type'), at(event, 'object')]
  const version = text(at(at(object, 'metadata'), 'resourceVersion'))
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      return { kind: 'changed', object, version }
    case 'DELETED':
      return { kind: 'deleted', object, version }
    case 'BOOKMARK':
      return { kind: 'bookmark', version }
    case 'ERROR':
      return {
        kind: 'error',
        code: Number(at(object, 'code')) || 500,
        message: text(at(object, 'message')) ?? '',
      }
    default:
      throw new Error(`Cannot follow the watch: an event has the type ${JSON.stringify(type)}`)
  }
}

/** Reads a page of a list. Throws when it is none, or names no version to go on from. */
export function parseListPage(page: unknown): ListPage {
  const [items, metadata] = [at(page, 'items'), at(page, 'metadata')]
  const version = text(at(metadata, 'resourceVersion'))
  if (!Array.isArray(items ?? []) || version === undefined)
    throw new Error('Cannot read the list: the API server answered with something else')
  return { items: (items ?? []) as unknown[], version, next: text(at(metadata, 'continue')) }
}

const at = (value: unknown, key: string): unknown =>
  isObject(value as Json) ? (value as { readonly [key: string]: unknown })[key] : undefined

const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
