import { linkSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Attachment } from '../../cni/spec/environment.ts'
import { indexKey } from '../core/reservation.ts'
import { attempt } from './files.ts'
import { tryLock } from './lock.ts'
import { list, makeFolder, scan, type Store } from './store.ts'

/** Where the index keeps an attachment's addresses. */
export const indexFolder = (store: Store, { containerId, ifname }: Attachment): string =>
  join(store.index, indexKey(containerId, ifname))

/** Makes an attachment's folder, empty: what a crash left in it is of no use to anybody. Throws `store`. */
export function makeIndexFolder(store: Store, attachment: Attachment): string {
  const folder = indexFolder(store, attachment)
  if (list(folder).length > 0) removeAll(folder)
  makeFolder(folder)
  return folder
}

/** Whether an ADD is at work on an attachment that holds addresses, or was when its process was stopped. Throws `store`. */
export function isUnderWay(store: Store, attachment: Attachment): boolean {
  using lock = tryLock(indexFolder(store, attachment))
  return lock === undefined
}

/** Removes an attachment's folder with all that is in it. Throws `store`. */
export const removeIndexFolder = (store: Store, attachment: Attachment): void =>
  removeAll(indexFolder(store, attachment))

const removeAll = (folder: string): void =>
  attempt('remove', folder, () => rmSync(folder, { recursive: true, force: true }))

/** Removes the links of addresses that have been given back from the folder that names their container alone. */
export const removeLegacyFolder = (store: Store, containerId: string): void =>
  removeAll(join(store.index, indexKey(containerId, undefined)))

/**
 * Takes into the index what host-local reserved. The index only says where to look, the files say whose an address
 * is: so it does no harm when one changes hands while this runs. Throws `store`.
 */
export function adopt(store: Store): void {
  for (const { path, owner } of scan(store, 'unindexed')) {
    if (owner.kind !== 'held') continue
    const folder = join(store.index, indexKey(owner.containerId, owner.ifname))
    makeFolder(folder)
    const link = join(folder, basename(path))
    attempt('write', link, () => linkSync(path, link), ['EEXIST', 'ENOENT', 'EMLINK'])
  }
}

/** Removes the folders of all attachments but those kept. Throws `store`. */
export function removeOthers(store: Store, kept: readonly Attachment[]): void {
  const keys = new Set(
    kept.flatMap(({ containerId, ifname }) => [
      indexKey(containerId, ifname),
      indexKey(containerId, undefined),
    ]),
  )
  for (const key of list(store.index)) if (!keys.has(key)) removeAll(join(store.index, key))
}
