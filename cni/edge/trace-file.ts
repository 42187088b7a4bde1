import { closeSync, constants, openSync, writeSync } from 'node:fs'

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants

/**
 * Adds text to a trace file, in one write so that calls at the same time do not mix. Only root may read it, a symbolic
 * link is not followed, and a FIFO without a reader is an error instead of a wait. Throws what the kernel says.
 */
export function appendTrace(path: string, text: string): void {
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}
