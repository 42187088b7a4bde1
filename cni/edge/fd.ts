import { readSync, writeSync } from 'node:fs'
import { CniError, messageOf } from '../spec/error.ts'
import { libc } from './libc.ts'

/*
 * Standard input and output by file descriptor, synchronously: process.stdin, process.stdout and console cost
 * milliseconds to load.
 */

/** A runtime closes its end at once; somebody at a terminal gets time to notice that a config is awaited. */
const DEADLINE_MS = 10_000
/** A config is a few kilobytes; this leaves room for the largest prevResult and bounds the memory. */
const MAX_BYTES = 4 * 1024 * 1024

// include/uapi/asm-generic/poll.h
const POLLIN = 1
const POLLOUT = 4

/** Reads a file descriptor to its end. Throws `io` when that does not come in time, or when it is too much. */
export function readAll(fd: number, deadlineMs = DEADLINE_MS, maxBytes = MAX_BYTES): Uint8Array {
  const end = performance.now() + deadlineMs
  const chunks: Buffer[] = []
  for (let length = 0; length <= maxBytes;) {
    const chunk = readSome(fd, end)
    if (chunk === undefined)
      throw ioError(`it stayed open for ${deadlineMs / 1000} s; close it after the config`)
    if (chunk.length === 0) return Buffer.concat(chunks)
    chunks.push(chunk)
    length += chunk.length
  }
  throw ioError(`it is longer than ${maxBytes} bytes; a network config is a few kilobytes`)
}

const ioError = (state: string, cause?: unknown): CniError =>
  new CniError('io', `Cannot read standard input: ${state}`, { cause })

/** What there is to read next, empty at the end; undefined when nothing came until `end`. */
function readSome(fd: number, end: number): Buffer | undefined {
  const buffer = Buffer.allocUnsafe(64 * 1024)
  while (waitFor(fd, POLLIN, end)) {
    try {
      return buffer.subarray(0, readSync(fd, buffer))
    } catch (cause) {
      // EAGAIN: another process that shares a non-blocking pipe was faster.
      if (!isAgain(cause)) throw ioError(messageOf(cause), cause)
    }
  }
  return undefined
}

/** Writes all of a text. Throws what the kernel says, EAGAIN when the reader stopped reading for 10 s. */
export function writeAll(fd: number, text: string): void {
  const end = performance.now() + DEADLINE_MS
  let rest = Buffer.from(text)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest))
    } catch (error) {
      if (!isAgain(error) || !waitFor(fd, POLLOUT, end)) throw error
    }
  }
}

const isAgain = (thrown: unknown): boolean => (thrown as NodeJS.ErrnoException).code === 'EAGAIN'

/** Waits until a descriptor is ready; false when it is not by `end`. A closed one counts as ready, and says so itself. */
function waitFor(fd: number, event: number, end: number): boolean {
  // struct pollfd, include/uapi/asm-generic/poll.h
  const pollfd = Buffer.alloc(8)
  pollfd.writeInt32LE(fd, 0)
  pollfd.writeInt16LE(event, 4)
  for (;;) {
    const left = Math.ceil(end - performance.now())
    if (left <= 0) return false
    // A signal ends poll() early with -1; then the rest of the time is left.
    if (libc().poll(pollfd, 1n, left) > 0) return true
  }
}
