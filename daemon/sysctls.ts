import { sysctlName } from '../cni/core/command.ts'
import { readSysctl, writeSysctl } from '../cni/edge/sysctl.ts'
import { messageOf } from '../cni/spec/error.ts'
import type { Family } from '../ipam/core/ip.ts'
import type { Log } from './core/log.ts'
import { planSysctls, type SysctlChange } from './core/sysctls.ts'
import { observeUplinks } from './edge/sysctls.ts'

/** What {@link ensureSysctls} goes by. */
export interface SysctlOptions {
  /** Where the node's settings are: /proc/sys, or where it is mounted for writing. */
  readonly folder: string
  /** The families that the node's pods have addresses of. */
  readonly families: ReadonlySet<Family['version']>
  readonly bridge: string
  readonly log: Log
  /** Told of what a setting was, before it is changed. */
  readonly remember: (key: string, value: string) => void
}

/**
 * Sets what pods need of the kernel and is not so, and says each change. Throws when something could not be set and is
 * not so; all that does not depend on it is.
 */
export function ensureSysctls({ folder, families, bridge, log, remember }: SysctlOptions): void {
  const uplinks = families.has(6) ? observeUplinks() : []
  const failures: string[] = []
  for (const group of planSysctls({ families, bridge, uplinks }, key => readSysctl(key, folder))) {
    try {
      for (const change of group) {
        if (change.from !== undefined) remember(change.key, change.from)
        apply(change, folder, log)
      }
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  if (failures.length > 0) throw new Error(failures.join('; '))
}

function apply({ key, from, to, reason }: SysctlChange, folder: string, log: Log): void {
  writeSysctl({ key, value: to, optional: false }, folder)
  const sysctl = sysctlName(key)
  log.info({ sysctl, from, to }, `Set ${sysctl} from ${from ?? 'unknown'} to ${to}: ${reason}`)
}

/** Gives settings their former values again, last changed first; one whose interface is gone is passed over. */
export function restoreSysctls(former: ReadonlyMap<string, string>, folder: string, log: Log): void {
  for (const [key, to] of [...former].toReversed()) {
    const from = readSysctl(key, folder)
    if (from === undefined || from === to) continue
    apply({ key, from, to, reason: 'it was so before Podwire came' }, folder, log)
  }
}
