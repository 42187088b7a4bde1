import {
  accessSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { NetworkName } from '../../cni/spec/config.ts'
import type { Attachment } from '../../cni/spec/environment.ts'
import { CniError } from '../../cni/spec/error.ts'
import { formatIp, type Ip, parseIp } from '../core/ip.ts'
import { formatReservation, indexKey, type Owner, ownedBy, parseReservation } from '../core/reservation.ts'
import { attempt, errnoOf, readPlain, storeError } from './files.ts'

/*
 * The addresses of one network as files, in the format of the reference host-local: NETWORK/ADDRESS, with the owner as
 * content. Truth is only there. Beside it, where host-local never looks, is an index: a folder for each attachment,
 * in which a hard link of each of its addresses lies, so that nobody has to read all files to find them.
 */

/** The addresses of one network. */
export interface Store {
  /** One file for each address that is held. */
  readonly folder: string
  /** One folder for each attachment, named by {@link indexKey}. */
  readonly index: string
  /** Tells people about a damaged file that was passed over. */
  readonly warn: (line: string) => void
}

/** An address's file, read. */
export interface Reservation {
  readonly ip: Ip
  readonly path: string
  /** Damaged also when the file could not be read. */
  readonly owner: Owner
  /** Tells this file from a later one of the same name. */
  readonly mark: string
}

/** Names the places of a network's addresses; touches no file. */
export function openStore(dataDir: string, network: NetworkName, warn: (line: string) => void): Store {
  // No network is called `.podwire`: their names start with a letter or digit.
  return { folder: join(dataDir, network), index: join(dataDir, '.podwire', network), warn }
}

/** The names in a folder; none when it is missing. Throws `store`. */
export const list = (folder: string): string[] =>
  attempt('list', folder, () => readdirSync(folder), ['ENOENT']) ?? []

/** The text of every address that is held, whatever its file holds. Throws `store`. */
export const taken = (store: Store): ReadonlySet<string> => new Set(list(store.folder))

/** Whether an address is held, whatever its file holds. Throws `store`. */
export const isTaken = (store: Store, ip: Ip): boolean =>
  statOf(join(store.folder, formatIp(ip))) !== undefined

const statOf = (path: string) => attempt('look at', path, () => lstatSync(path, { throwIfNoEntry: false }))

/** Removes a file; fine when it is gone already. Throws `store`. */
export const remove = (path: string): void => attempt('remove', path, () => unlinkSync(path), ['ENOENT'])

/**
 * Reads the files of all addresses; `unindexed` only those that no index folder holds a link of. Damaged ones are
 * passed over with a warning. Throws `store` when the folder cannot be listed.
 */
export function scan(store: Store, which: 'all' | 'unindexed'): Reservation[] {
  const names = list(store.folder)
  return readAll(store, which === 'all' ? names : names.filter(name => !isLinked(join(store.folder, name))))
}

function isLinked(path: string): boolean {
  const stat = statOf(path)
  return stat?.isFile() === true && stat.nlink > 1
}

/** As {@link readEach}, but passes over damaged files with a warning. */
function readAll(store: Store, names: readonly string[]): Reservation[] {
  const all = readEach(store, names)
  const damaged = all.filter(({ owner }) => owner.kind === 'damaged').map(({ path }) => basename(path))
  if (damaged.length > 0) store.warn(describeDamaged(store, damaged))
  return all.filter(({ owner }) => owner.kind !== 'damaged')
}

/** Reads the files of some addresses; names that are no address, or of no file, are passed over. */
export function readEach(store: Store, names: readonly string[]): Reservation[] {
  return names.flatMap(name => {
    const ip = parseIp(name)
    if (ip === undefined) return []
    const path = join(store.folder, name)
    const content = readPlain(path)
    if (content.kind === 'missing') return []
    if (content.kind === 'unusable') return [{ ip, path, owner: { kind: 'damaged' }, mark: content.why }]
    const { text, inode, writtenAt } = content
    return [{ ip, path, owner: parseReservation(text), mark: `${inode} ${writtenAt}` }]
  })
}

/** Those of an attachment's addresses that are its still, or the legacy ones of its container. */
export const stillOwned = (
  store: Store,
  attachment: Attachment,
  found: readonly Reservation[],
): Reservation[] =>
  ownedBy(
    readEach(
      store,
      found.map(({ path }) => basename(path)),
    ),
    attachment,
  )

const describeDamaged = (store: Store, names: readonly string[]): string =>
  `passed over ${names.length} damaged file${names.length > 1 ? 's' : ''} in ${store.folder}, whose addresses stay taken: ` +
  `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}; remove what no container uses`

/** The addresses of an attachment that the index knows of; the files themselves say whether they still are its. */
export function indexed(store: Store, { containerId, ifname }: Attachment): Reservation[] {
  const keys = [indexKey(containerId, ifname), indexKey(containerId, undefined)]
  const names = new Set(keys.flatMap(key => list(join(store.index, key))))
  return ownedBy(readAll(store, [...names]), { containerId, ifname })
}

/** An address that this very call got hold of: a file that is told from any later one of the same name. */
export interface Claim {
  readonly ip: Ip
  readonly inode: number
  readonly writtenAt: number
}

/**
 * Tries to get hold of an address for an attachment whose index folder exists; undefined when somebody has it.
 * The file is written first, under its name in the index, and then linked to its place: so the place never
 * holds half a file, one of several callers wins, and whoever dies in between leaves only what a DEL finds by the
 * attachment alone. Throws `store`, `try-again`.
 */
export function claim(store: Store, attachment: Attachment, ip: Ip): Claim | undefined {
  if (isTaken(store, ip)) return undefined
  const candidate = join(store.index, indexKey(attachment.containerId, attachment.ifname), formatIp(ip))
  try {
    writeFileSync(candidate, formatReservation(attachment), { flag: 'wx', mode: 0o600 })
    const { ino, mtimeMs } = lstatSync(candidate)
    linkSync(candidate, join(store.folder, formatIp(ip)))
    return { ip, inode: ino, writtenAt: mtimeMs }
  } catch (cause) {
    return abandon(attachment, candidate, cause)
  }
}

function abandon({ containerId, ifname }: Attachment, candidate: string, cause: unknown): undefined {
  const { syscall } = cause as NodeJS.ErrnoException
  const errno = errnoOf(cause)
  // Where there was no link to make, a call for the same attachment is at work here too: the file is its.
  if (errno === 'ENOENT' || (errno === 'EEXIST' && syscall !== 'link')) {
    throw new CniError(
      'try-again',
      `Cannot reserve an address for ${containerId}/${ifname}: another ADD, DEL or GC of it is at work; try again`,
      { cause },
    )
  }
  remove(candidate)
  if (errno !== 'EEXIST') throw storeError('write', candidate, cause)
  return undefined
}

/** Gives back what {@link claim} got, and nothing that a later call made under the same name. Throws `store`. */
export function unclaim(store: Store, attachment: Attachment, { ip, inode, writtenAt }: Claim): void {
  const name = formatIp(ip)
  const candidate = join(store.index, indexKey(attachment.containerId, attachment.ifname), name)
  for (const path of [join(store.folder, name), candidate]) {
    const stat = statOf(path)
    if (stat?.ino === inode && stat.mtimeMs === writtenAt) remove(path)
  }
}

/** Makes the folders of a network. Throws `store`. */
export function makeFolders(store: Store): void {
  for (const [path, mode] of [
    [store.folder, 0o755],
    [store.index, 0o700],
  ] as const)
    if (statOf(path)?.isDirectory() !== true)
      attempt('make', path, () => mkdirSync(path, { recursive: true, mode }))
}

/** Makes a folder; fine when it exists already. Throws `store`. */
export const makeFolder = (path: string): void =>
  attempt('make', path, () => mkdirSync(path, 0o700), ['EEXIST'])

/** Removes an empty folder; fine when it is gone, or not empty. Throws `store`. */
export const removeFolder = (path: string): void =>
  attempt('remove', path, () => rmdirSync(path), ['ENOENT', 'ENOTEMPTY', 'EEXIST'])

/**
 * Throws `store` when an ADD could not write so many files here. Writes nothing, so there is nothing that a crash
 * could leave.
 */
export function probe(store: Store, count: number): void {
  let path = store.folder
  while (attempt('look at', path, () => statSync(path, { throwIfNoEntry: false })) === undefined)
    path = dirname(path)
  attempt('write to', path, () => accessSync(`${path}/.`, constants.W_OK | constants.X_OK))
  const space = attempt('look at', path, () => statfsSync(path))
  if (space === undefined) return
  // Some file systems count no inodes: they say 0 of 0.
  const { bfree, files, ffree } = space
  if (bfree > 0 && (files === 0 || ffree >= count)) return
  throw storeError('write to', path, Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }))
}
