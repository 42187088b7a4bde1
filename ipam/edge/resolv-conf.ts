import { readFileSync, statSync } from 'node:fs'
import { CniError, messageOf } from '../../cni/spec/error.ts'
import type { Dns } from '../../cni/spec/result.ts'
import { parseResolvConf } from '../core/resolv-conf.ts'

const MAX_BYTES = 64 * 1024

const refuse = (path: string, problem: string, cause?: unknown): never => {
  throw new CniError('io', `Cannot read the resolver file ${path}: ${problem}; correct "ipam.resolvConf"`, {
    cause,
  })
}

/** Reads the file that `ipam.resolvConf` names; it may be a symbolic link, as /etc/resolv.conf mostly is. Throws `io`. */
export function readResolvConf(path: string): Dns {
  return parseResolvConf(readText(path)) ?? refuse(path, 'it is not text')
}

function readText(path: string): string {
  let problem = 'it is not a plain file'
  try {
    const stat = statSync(path)
    if (stat.isFile() && stat.size <= MAX_BYTES) return readFileSync(path, 'utf8')
    if (stat.isFile()) problem = `it is larger than ${MAX_BYTES} bytes`
  } catch (cause) {
    return refuse(path, messageOf(cause), cause)
  }
  return refuse(path, problem)
}
