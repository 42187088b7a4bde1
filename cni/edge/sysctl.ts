import { readFileSync, writeFileSync } from 'node:fs'
import type { SysctlStep } from '../core/step.ts'
import { CniError } from '../spec/error.ts'

/** `sysctl -w KEY=VALUE` in the namespace of the calling thread; an optional one that does not exist is passed over. */
export function writeSysctl(step: SysctlStep): void {
  try {
    writeFileSync(`/proc/sys/${step.key}`, step.value, { flag: 'r+' })
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    if ((step.optional && code === 'ENOENT') || isSet(step)) return
    const advice = code === 'ENOENT' ? 'the kernel has no such setting' : `${code}; is /proc/sys writable?`
    throw new CniError('sysctl', `Cannot set ${step.key.replaceAll('/', '.')} to ${step.value}: ${advice}`, {
      cause,
    })
  }
}

/** Whether a setting that cannot be written, on a read-only /proc/sys, has the wanted value anyway. */
function isSet({ key, value }: SysctlStep): boolean {
  try {
    return readFileSync(`/proc/sys/${key}`, 'utf8').trim() === value
  } catch {
    return false
  }
}
