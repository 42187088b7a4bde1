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

const timeOf = (path: string): number | undefined =>
  attempt('look at', path, () => lstatSync(path, { throwIfNoEntry: false }))?.mtimeMs

/**
 * When each cursor was written, in milliseconds, in the order of the sets. An ADD of host-local writes every cursor,
 * after the address's file, and so shows that the index lacks something. Throws `store`.
 */
export function cursorTimes(store: Store): readonly number[] {
  const times: number[] = []
  for (let time = timeOf(pathOf(store, 0)); time !== undefined; time = timeOf(pathOf(store, times.length)))
    times.push(time)
  return times
}

const isOurs = (time: number | undefined): boolean => time === STAMP * 1000

/** Whether the cursors' times say that we wrote them all, and so that the index knows of every address. */
export const areStamped = (times: readonly number[]): boolean => times.length > 0 && times.every(isOurs)

/**
 * Notes on the cursors that the index is complete. `seen` are their times before it was completed: one that has changed
 * since was written by host-local meanwhile, and stays as it is. Throws `store`.
 */
export function stampCursors(store: Store, seen: readonly number[]): void {
  for (const [set, time] of seen.entries()) {
    const path = pathOf(store, set)
    if (timeOf(path) === time) attempt('write', path, () => utimesSync(path, STAMP, STAMP), ['ENOENT'])
  }
}

/**
 * Remembers the address that a range set gave out last. `scratch` is a folder for the file while it is written.
 * Throws `store`.
 */
export function writeCursor(store: Store, set: number, ip: Ip, scratch: string): void {
  const path = pathOf(store, set)
  const draft = join(scratch, `last_reserved_ip.${set}`)
  try {
    attempt('write', draft, () => writeFileSync(draft, formatIp(ip), { mode: 0o600 }))
    const time = timeOf(path)
    // What host-local wrote a moment ago must go on to show.
    if (time === undefined || isOurs(time)) attempt('write', draft, () => utimesSync(draft, STAMP, STAMP))
    attempt('write', path, () => renameSync(draft, path))
  } catch (cause) {
    remove(draft)
    throw cause
  }
}
