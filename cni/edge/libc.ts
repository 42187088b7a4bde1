import ffi from 'node:ffi'
import { getSystemErrorMap } from 'node:util'

/*
 * The few functions of the C library that Node does not offer, called through node:ffi (experimental: this is the
 * only file that knows it). They are found in the running program itself, so no library file is searched for.
 */

const SIGNATURES = {
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
  send: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  recv: { return: 'int64', arguments: ['int32', 'buffer', 'uint64', 'int32'] },
  unshare: { return: 'int32', arguments: ['int32'] },
  setns: { return: 'int32', arguments: ['int32', 'int32'] },
  flock: { return: 'int32', arguments: ['int32', 'int32'] },
  poll: { return: 'int32', arguments: ['buffer', 'uint64', 'int32'] },
  __errno_location: { return: 'pointer', arguments: [] },
} as const

const open = () => ffi.dlopen(null, SIGNATURES).functions
let functions: ReturnType<typeof open> | undefined

/** The functions; opened at the first use, because VERSION and a bad config never come here. */
export function libc(): ReturnType<typeof open> {
  functions ??= open()
  return functions
}

/** The errno of the call just made, as a positive number; ask before anything else runs. */
export const errno = (): number => ffi.getInt32(libc().__errno_location())

/** Where libuv has a word of its own for what include/uapi/asm-generic/errno.h calls otherwise. */
const KERNEL_NAMES: ReadonlyMap<string, string> = new Map([['ENOTSUP', 'EOPNOTSUPP']])

let names: ReturnType<typeof getSystemErrorMap> | undefined

/** The kernel's name of an errno: `ENOENT`. */
export function errnoName(number: number): string {
  // Node makes the map anew each time it is asked for.
  names ??= getSystemErrorMap()
  const name = names.get(-number)?.[0] ?? `errno ${number}`
  return KERNEL_NAMES.get(name) ?? name
}
