import { closeSync, constants, fstatSync, openSync, readlinkSync, statSync } from 'node:fs'
import type { NetnsPath } from '../spec/environment.ts'
import { CniError } from '../spec/error.ts'
import { errno, errnoName, libc } from './libc.ts'

const CLONE_NEWNET = 0x40000000
/** The calling thread's own: every namespace is entered and left on this one thread, without an await in between. */
const OWN = '/proc/thread-self/ns/net'

/** An open network namespace. */
export class Netns implements Disposable {
  readonly path: NetnsPath
  readonly fd: number

  private constructor(path: NetnsPath, fd: number) {
    this.path = path
    this.fd = fd
  }

  /**
   * Opens a container's namespace. Throws `invalid-environment` when the path is not one, or is the plugin's own and
   * `ownAllowed` is false: configuring the node in place of a container is the worst that can happen.
   */
  static open(path: NetnsPath, ownAllowed: boolean): Netns {
    const netns = new Netns(path, openNetns(path))
    try {
      netns.run(() => {})
      if (!ownAllowed && netns.#isOwn())
        throw refused(path, 'it is the namespace of the plugin itself, not a container')
      return netns
    } catch (error) {
      netns[Symbol.dispose]()
      throw error
    }
  }

  /** Runs a synchronous function inside; sockets it opens and /proc/sys/net it touches are the namespace's. */
  run<T>(inside: () => T): T {
    return excursion(() => {
      if (libc().setns(this.fd, CLONE_NEWNET) !== 0) throw cannotEnter(this.path, errnoName(errno()))
    }, inside)
  }

  [Symbol.dispose](): void {
    closeSync(this.fd)
  }

  #isOwn(): boolean {
    const [mine, its] = [statSync(OWN), fstatSync(this.fd)]
    return mine.dev === its.dev && mine.ino === its.ino
  }
}

/** The namespace that the thread is in now, as `readlink /proc/thread-self/ns/net` names it. */
export const currentNetns = (): string => readlinkSync(OWN)

/** Runs a synchronous function in a new, empty namespace, which ends with the last socket in it. */
export function inScratchNetns<T>(inside: () => T): T {
  return excursion(enterNew, inside)
}

function enterNew(): void {
  if (libc().unshare(CLONE_NEWNET) === 0) return
  throw new CniError(
    'netns',
    `Cannot make a network namespace: ${errnoName(errno())}; the plugin needs CAP_SYS_ADMIN`,
  )
}

/**
 * Runs in a new, empty namespace that stands for a node's, with the path of another that stands for a container's. The
 * thread is there until the work is done: only for a process that does nothing else meanwhile.
 */
export async function inOwnNetns(inside: (container: NetnsPath) => Promise<void>): Promise<void> {
  const own = openSync(OWN, 'r')
  const container = inScratchNetns(() => openSync(OWN, 'r'))
  try {
    enterNew()
    await inside(`/proc/self/fd/${container}` as NetnsPath)
  } finally {
    goBack(own)
    closeSync(container)
    closeSync(own)
  }
}

/** Leaves the thread's namespace, runs, and comes back. */
function excursion<T>(leave: () => void, inside: () => T): T {
  const own = openSync(OWN, 'r')
  try {
    leave()
    try {
      return inside()
    } finally {
      goBack(own)
    }
  } finally {
    closeSync(own)
  }
}

/** Nothing sound can happen in a process that is stuck in a container's namespace. */
function goBack(own: number): void {
  if (libc().setns(own, CLONE_NEWNET) !== 0) process.abort()
}

function openNetns(path: NetnsPath): number {
  try {
    // Non-blocking, or a named pipe in its place would hold the call for ever.
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw refused(path, `${(cause as NodeJS.ErrnoException).code}`, cause)
  }
}

const refused = (path: NetnsPath, state: string, cause?: unknown): CniError =>
  new CniError(
    'invalid-environment',
    `Cannot open the network namespace CNI_NETNS="${path.slice(0, 200)}": ${state}; the runtime must name the container's namespace`,
    { cause },
  )

function cannotEnter(path: NetnsPath, name: string): CniError {
  if (name === 'EINVAL') return refused(path, 'it is not a network namespace')
  return new CniError(
    'netns',
    `Cannot enter the network namespace "${path}": ${name}; the plugin needs CAP_SYS_ADMIN`,
  )
}
