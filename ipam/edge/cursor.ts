import { lstatSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatIp, type Ip, parseIp } from '../core/ip.ts'
import { attempt, readPlain } from './files.ts'
import { remove, type Store } from './store.ts'

/** The time, in seconds since 1970, that our cursor files carry as their time of change: one that no clock will show again. */
const STAMP = 117_117_117

const pathOf = (store: Store, set: number): string => join(store.folder, `last_reserved_ip.${set}`)

/** The address that a range set gave out last, by us or by host-local; undefined when unknown. */
export function readCursor(store: Store, set: number): Ip | undefined {
  const content = readPlain(pathOf(store, set))
  return content.kind === 'text' ? parseIp(content.text.trim()) : undefined
}

/**
 * When the first range set's cursor was written, in milliseconds; undefined when there is none. Every ADD of
 * host-local writes it, and so shows that the index lacks something.
 */
export const cursorTime = (store: Store): number | undefined => {
  const path = pathOf(store, 0)
  return attempt('look at', path, () => lstatSync(path, { throwIfNoEntry: false }))?.mtimeMs
}

/** Whether a cursor's time says that we wrote it, and so that the index knows of every address. */
export const isStamped = (time: number | undefined): boolean => time === STAMP * 1000

/**
 * Remembers the address that a range set gave out last. `seen` is what {@link cursorTime} said before the index was
 * last completed: when host-local has written since, our stamp would hide it. `scratch` is a folder for the file while it
 * is written. Throws `store`.
 */
export function writeCursor(
  store: Store,
  set: number,
  ip: Ip,
  scratch: string,
  seen: number | undefined,
): void {
  const path = pathOf(store, set)
  const draft = join(scratch, `last_reserved_ip.${set}`)
  try {
    attempt('write', draft, () => writeFileSync(draft, formatIp(ip), { mode: 0o600 }))
    const now = cursorTime(store)
    if (now === seen || isStamped(now)) attempt('write', draft, () => utimesSync(draft, STAMP, STAMP))
    attempt('write', path, () => renameSync(draft, path))
  } catch (cause) {
    remove(draft)
    throw cause
  }
}
