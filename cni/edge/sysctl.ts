import { readFileSync, writeFileSync } from 'node:fs'
import type { SysctlStep } from '../core/step.ts'
import { CniError } from '../spec/error.ts'

/** Where the kernel shows its settings; where that is read-only, somebody may have mounted them elsewhere. */
export const PROC_SYS = '/proc/sys'

/** `sysctl -w KEY=VALUE` in the namespace of the calling thread; an optional one that does not exist is passed over. */
export function writeSysctl(step: Omit<SysctlStep, 'kind' | 'place'>, root = PROC_SYS): void {
  try {
    writeFileSync(`${root}/${step.key}`, step.value, { flag: 'r+' })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    // One that cannot be written, on a read-only file system, may have the wanted value anyway.
    if ((step.optional && code === 'ENOENT') || readSysctl(step.key, root) === step.value) return
    const advice = code === 'ENOENT' ? 'the kernel has no such setting' : `${code}; is ${root} writable?`
    throw new CniError('sysctl', `Cannot set ${step.key.replaceAll('/', '.')} to ${step.value}: ${advice}`, {
      cause,
    })
  }
}

/** `sysctl -n KEY` in the namespace of the calling thread; undefined when it cannot be read. */
export function readSysctl(key: string, root = PROC_SYS): string | undefined {
  try {
    return readFileSync(`${root}/${key}`, 'utf8').trim()
  } catch {
    return undefined
  }
}
