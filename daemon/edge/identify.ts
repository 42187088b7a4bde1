import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import type { FileId } from '../core/frame.ts'

/**
 * What a path leads to, undefined when that is nowhere. It is opened rather than looked at: a namespace's path may be a
 * symbolic link of /proc that leads to no file.
 */
export function identify(path: string): FileId | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return fstatSync(fd, { bigint: true })
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
}
