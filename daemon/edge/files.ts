import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { chmod, lstat, mkdir, open, readdir, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { messageOf } from '../../cni/spec/error.ts'
import { errnoOf, readPlain } from '../../ipam/edge/files.ts'

/*
 * Files of the node that others read while they are written: a reader finds the whole old content or the whole new one.
 * A new file is a draft first, beside the old one and under a name that nobody takes for a plugin or a config.
 */

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or inodes there',
  EDQUOT: 'the disk quota is used up; free some space there',
  EROFS: 'the file system is read-only; mount it writable',
  EACCES: 'permission denied; run as root, and let root own the folder, or the container needs DAC_OVERRIDE',
  EPERM: 'the system does not allow it; is it immutable (lsattr), or on a file system without hard links?',
  ENOENT: 'it is not there; see whether the folder is mounted',
  ENOTDIR: 'a part of the path is not a folder; remove what is there',
  EEXIST: 'something that is not a folder is in its way; remove that',
  EISDIR: 'a folder is there; remove it',
  ENOTEMPTY: 'others have files in it; remove them',
}

/** What a file operation ended with, as a sentence that names the path and says what to do. */
export const fileError = (action: string, path: string, cause: unknown): Error =>
  new Error(
    `Cannot ${action} ${path}: ${ADVICE[errnoOf(cause) ?? ''] ?? `${messageOf(cause)}; check the file system`}`,
    { cause },
  )

/** Does something to a path; the system's errors listed in `expected` give undefined, others become a sentence. */
export async function attempt<T>(
  action: string,
  path: string,
  run: () => Promise<T>,
  expected: readonly string[] = [],
): Promise<T | undefined> {
  try {
    return await run()
  } catch (cause) {
    if (expected.includes(errnoOf(cause) ?? '')) return undefined
    throw fileError(action, path, cause)
  }
}

/** No extension that a container runtime reads (.conf, .conflist, .json). */
const EXTENSION = '.podwire-draft'

const draftOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}${EXTENSION}`)

/** Removes what an earlier run that died has left of its work on a file. */
export async function removeDrafts(path: string): Promise<void> {
  const folder = dirname(path)
  const names = await attempt('read', folder, () => readdir(folder), ['ENOENT'])
  for (const name of names ?? []) {
    if (!name.startsWith(`.${basename(path)}.`) || !name.endsWith(EXTENSION)) continue
    const draft = join(folder, name)
    await attempt('remove', draft, () => rm(draft, { force: true }))
  }
}

/**
 * Puts a file into the place of another, in one moment, also for a reader after a power failure. `fill` makes the draft
 * that it is given the path of. When something fails, the file in place is as before and no draft is left. Makes the
 * folder when there is none.
 */
export async function replaceFile(
  path: string,
  mode: number,
  fill: (draft: string) => Promise<void>,
): Promise<void> {
  await replace(path, async draft => {
    await fill(draft)
    await chmod(draft, mode)
    await flush(draft)
  })
}

/** Puts a symbolic link into the place of a file or another link, in one moment. */
export const replaceLink = (path: string, target: string): Promise<void> =>
  replace(path, draft => symlink(target, draft))

async function replace(path: string, make: (draft: string) => Promise<void>): Promise<void> {
  const draft = draftOf(path)
  try {
    await mkdir(dirname(path), { recursive: true })
    await make(draft)
    await rename(draft, path)
    await flush(dirname(path))
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw fileError('write', path, cause)
  }
}

/** Waits until the disk has a file or the names in a folder. Opened for reading, so that a program can be started meanwhile. */
async function flush(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

/** Whether a plain file with this very text is there. */
export function holdsText(path: string, text: string): boolean {
  const content = readPlain(path)
  return content.kind === 'text' && content.text === text
}

/** Makes a draft of a text. */
export const fillWith = (text: string) => (draft: string) =>
  writeFile(draft, text, { flag: 'wx', mode: 0o600 })

/**
 * Writes a text into a folder that a container runtime watches; answers whether it had to: equal text is left alone.
 * Containerd 2.x looks again when a file is renamed away, removed or changed, not when one comes. A second file goes
 * when all is done, so that the runtime looks a last time then, whatever it saw in between. It is made before, because
 * that may fail. Mode 0600: none but root's programs read the folder (CIS Kubernetes Benchmark 1.1.9).
 */
export async function writeWatched(path: string, text: string): Promise<boolean> {
  await removeDrafts(path)
  if (holdsText(path, text)) return false
  const bell = draftOf(path)
  try {
    await replaceFile(path, 0o600, async draft => {
      await fillWith('')(bell)
      await fillWith(text)(draft)
    })
  } finally {
    // The text is in place, or the error says why not; one that stays is a draft that the next write removes.
    await rm(bell, { force: true }).catch(() => {})
  }
  return true
}

/** What is at a path, symbolic links not followed; undefined for nothing. */
export const lookAt = (path: string): Promise<Stats | undefined> =>
  attempt('read', path, () => lstat(path), ['ENOENT'])

/** Removes a file for good, and drafts of it; answers whether there was one. */
export async function removeFile(path: string): Promise<boolean> {
  await removeDrafts(path)
  // Asked first: a read-only file system refuses to remove even what is not there.
  if ((await lookAt(path)) === undefined) return false
  await attempt('remove', path, async () => {
    await rm(path, { force: true })
    await flush(dirname(path))
  })
  return true
}

/**
 * Removes a folder; answers whether it is gone. It stays when something is in it, and when it is a mount point (EROFS
 * when the folder that it is mounted in is read-only).
 */
export async function removeFolder(path: string): Promise<boolean> {
  if ((await lookAt(path)) === undefined) return true
  const kept = ['ENOTEMPTY', 'EBUSY', 'EROFS']
  return (await attempt('remove', path, () => rmdir(path).then(() => true), kept)) ?? false
}

/** So much of each file is compared at a time. */
const PIECE_BYTES = 1024 * 1024

/** Whether two files hold the same bytes, read piece by piece. Throws what the system says. */
export async function sameBytes(a: string, b: string): Promise<boolean> {
  await using left = await open(a, 'r')
  await using right = await open(b, 'r')
  const pieces = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const
  if ((await left.stat()).size !== (await right.stat()).size) return false
  for (;;) {
    const [one, other] = await Promise.all([
      left.read(pieces[0], 0, PIECE_BYTES, null),
      right.read(pieces[1], 0, PIECE_BYTES, null),
    ])
    const isSame = pieces[0].subarray(0, one.bytesRead).equals(pieces[1].subarray(0, other.bytesRead))
    if (!isSame || one.bytesRead === 0) return isSame
  }
}
