import { readFileSync } from 'node:fs'

/** Ticks of a CPU in a second, as `/proc` counts them; Linux has had no other number for decades. */
const TICKS = 100

/**
 * CPU time that a process has used so far, in milliseconds, with that of the programs that it has started and that
 * have ended. See proc_pid_stat(5).
 */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program, in brackets, may hold anything; utime, stime, cutime and cstime are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return (ticks * 1000) / TICKS
}

/** Megabytes of memory that a process holds. */
export interface Memory {
  readonly now: number
  /** Of these, pages of the program's file: the kernel may drop them, and shares them between processes. */
  readonly file: number
  /** The most it ever held. */
  readonly peak: number
}

/** See proc_pid_status(5). */
export function memoryMb(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024) / 1e6
  return { now: field('VmRSS'), file: field('RssFile'), peak: field('VmHWM') }
}
