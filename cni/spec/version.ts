import type { Operation } from './environment.ts'
import { CniError } from './error.ts'

/** Every version of the specification whose configs and results we speak, oldest first. */
export const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
export type CniVersion = (typeof VERSIONS)[number]
export const NEWEST: CniVersion = '1.1.0'

/** Whether a version is `other` or newer. */
export const isAtLeast = (version: CniVersion, other: CniVersion): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(other)

/** Reads `cniVersion`; a config without one is a 0.1.0 config. Throws `incompatible-version`. */
export function parseVersion(text: string | undefined): CniVersion {
  const wanted = text === undefined || text === '' ? '0.1.0' : text
  const version = VERSIONS.find(v => v === wanted)
  if (version !== undefined) return version
  throw new CniError('incompatible-version', 'incompatible CNI versions', {
    details: `config is "${wanted.slice(0, 80)}", plugin supports ["${VERSIONS.join('" "')}"]`,
  })
}

/** Since when the specification has each command. */
const SINCE: Readonly<Record<Operation, CniVersion>> = {
  ADD: '0.1.0',
  DEL: '0.1.0',
  CHECK: '0.4.0',
  GC: '1.1.0',
  STATUS: '1.1.0',
}

/** Refuses a command that the config's version does not have yet (`incompatible-version`). */
export function refuseTooOld(command: Operation, version: CniVersion): void {
  if (isAtLeast(version, SINCE[command])) return
  throw new CniError('incompatible-version', `config version does not allow ${command}`, {
    details: `config is "${version}"; ${command} needs "${SINCE[command]}" or newer: raise "cniVersion"`,
  })
}
