import { basename } from 'node:path'
import { setImmediate as yieldToOthers } from 'node:timers/promises'
import type { Owner } from '../../cni/core/table.ts'
import { Site } from '../../cni/edge/site.ts'
import { listOwned } from '../../cni/edge/table.ts'
import { list, readEach, type Store } from '../../ipam/edge/store.ts'
import type { HeldAddress, NodeLink } from '../core/sweep.ts'

/** So many files are read before the rest of the daemon gets its turn: a few milliseconds' worth. */
const BATCH = 200

/** All addresses that are held, read file by file; others get their turn in between. Throws `store`. */
export async function observeAddresses(store: Store): Promise<HeldAddress[]> {
  const names = list(store.folder)
  const addresses: HeldAddress[] = []
  for (let i = 0; i < names.length; i += BATCH) {
    addresses.push(...readAddresses(store, names.slice(i, i + BATCH)))
    await yieldToOthers()
  }
  return addresses
}

/** Some of them; names that are no address, or of no file, are passed over. */
export const readAddresses = (store: Store, names: readonly string[]): HeldAddress[] =>
  readEach(store, names).map(({ path, owner, mark }) => ({ file: basename(path), owner, mark }))

/** `ip link show`. Throws `netlink`. */
export function observeLinks(): NodeLink[] {
  using site = new Site()
  return site.links().map(({ index, name, alias, kind }) => ({ index, name, alias, kind }))
}

/** Whether there is a link of this name. Throws `netlink`. */
export const hasLink = (name: string): boolean => linkIndex(name) !== undefined

/** The index of the link of this name, which no link after it gets; undefined when there is none. Throws `netlink`. */
export function linkIndex(name: string): number | undefined {
  using site = new Site()
  return site.link(name)?.index
}

/** Whose elements and chains there are in the plugin's part of the table. Throws `netlink`. */
export const observeRuleOwners = (): Owner[] => listOwned().map(({ owner }) => owner)
