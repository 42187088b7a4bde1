import { constants, lstatSync, readFileSync } from 'node:fs'
import { CniError, messageOf } from '../../cni/spec/error.ts'

/** The name of the system's error that a file operation ended with, as in `ENOENT`. */
export function errnoOf(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' ? code : undefined
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or inodes there',
  EDQUOT: 'the disk quota is used up; free some space there',
  EROFS: 'the file system is read-only; mount it writable or set "ipam.dataDir" to another folder',
  EACCES: 'permission denied; run as root or give the folder to this user',
  EPERM: 'the file system does not allow it; set "ipam.dataDir" to a folder where hard links work',
  ENOTDIR: 'a part of the path is not a folder; remove what is there or set "ipam.dataDir" to another folder',
  EEXIST: 'something that is not a folder is there; remove it or set "ipam.dataDir" to another folder',
  ELOOP: 'its symbolic links go in a circle; correct them or set "ipam.dataDir" to another folder',
  ENAMETOOLONG: 'the path is too long; shorten "name" or "ipam.dataDir"',
}

/** An error of the kind `store` that names the path and says what to do about it. */
export function storeError(action: string, path: string, cause: unknown): CniError {
  const advice =
    ADVICE[errnoOf(cause) ?? ''] ?? `${messageOf(cause)}; check the file system of "ipam.dataDir"`
  return new CniError('store', `Cannot ${action} ${path}: ${advice}`, { cause, details: messageOf(cause) })
}

/** Runs one file operation; the system's errors listed in `expected` give undefined, others become a `store` error. */
export function attempt<T>(
  action: string,
  path: string,
  run: () => T,
  expected: readonly string[] = [],
): T | undefined {
  try {
    return run()
  } catch (cause) {
    if (expected.includes(errnoOf(cause) ?? '')) return undefined
    throw storeError(action, path, cause)
  }
}

/** What a file that should be small and plain turned out to hold. */
export type Content =
  | {
      readonly kind: 'text'
      readonly text: string
      /** With the time of change, in milliseconds since 1970, it tells the file from a later one of the same name. */
      readonly inode: number
      readonly writtenAt: number
    }
  | { readonly kind: 'missing' }
  | { readonly kind: 'unusable'; readonly why: string }

/** Larger than any environment variable (MAX_ARG_STRLEN is 128 KiB), so than any container id. */
const MAX_BYTES = 256 * 1024

// O_NONBLOCK, so that a FIFO in the place of a file cannot hold us up.
const PLAIN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Reads a small plain file; never follows a symbolic link, never waits, never reads more than 256 KiB. */
export function readPlain(path: string): Content {
  try {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return { kind: 'missing' }
    if (!stat.isFile()) return { kind: 'unusable', why: 'not a plain file' }
    if (stat.size > MAX_BYTES) return { kind: 'unusable', why: 'too large' }
    // @types/node know no number here, but fs takes one, and only so the file is read in one call.
    const text = readFileSync(path, { encoding: 'utf8', flag: PLAIN as unknown as string })
    return { kind: 'text', text, inode: stat.ino, writtenAt: stat.mtimeMs }
  } catch (cause) {
    return errnoOf(cause) === 'ENOENT'
      ? { kind: 'missing' }
      : { kind: 'unusable', why: errnoOf(cause) ?? messageOf(cause) }
  }
}
