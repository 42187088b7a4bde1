import { closeSync, constants, openSync } from 'node:fs'
import { CniError } from '../../cni/spec/error.ts'
import { errno, errnoName, libc } from '../../cni/edge/libc.ts'
import { attempt } from './files.ts'

// include/uapi/asm-generic/fcntl.h
const LOCK_EX_NB = 2 | 4

/** Tries and milliseconds between them: two seconds, far longer than anybody holds a lock who is not stopped. */
const TRIES = 1000
const PAUSE_MS = 2

/**
 * Takes flock(2) on a folder: a lock that no file is needed for, which a full disk would refuse, and that the kernel
 * takes from a process that dies. Undefined when somebody else has it; of a folder that is not there, and on a
 * file system without locks, a lock that keeps nobody out.
 */
export function tryLock(folder: string): Disposable | undefined {
  const fd = attempt('open', folder, () => openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY), [
    'ENOENT',
    'ENOTDIR',
  ])
  if (fd === undefined) return { [Symbol.dispose]: () => {} }
  if (libc().flock(fd, LOCK_EX_NB) !== 0 && errnoName(errno()) === 'EAGAIN') {
    closeSync(fd)
    return undefined
  }
  return holding(fd)
}

/** A lock that may be let go of twice. */
function holding(fd: number): Disposable {
  let isHeld = true
  return {
    [Symbol.dispose]() {
      if (isHeld) closeSync(fd)
      isHeld = false
    },
  }
}

/** Runs while nobody else runs it on the same folder; waits up to two seconds for that. Throws `try-again`. */
export function exclusively<T>(folder: string, run: () => T): T {
  for (let left = TRIES; left > 0; left -= 1) {
    using lock = tryLock(folder)
    if (lock !== undefined) return run()
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
  }
  throw new CniError(
    'try-again',
    `Cannot change ${folder}: another process has held its lock for ${(TRIES * PAUSE_MS) / 1000} s; see which one with "lslocks", and try again`,
  )
}
