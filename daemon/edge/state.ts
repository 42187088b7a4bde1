import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { READY } from '../core/places.ts'

/** What the daemon remembers until the machine is started anew. */
export const STATE_DIR = dirname(READY)

const SYSCTLS = `${STATE_DIR}/sysctls`

/** Lets the launcher call the plugin; answers whether it did not before. */
export function markReady(): boolean {
  if (isReady()) return false
  mkdirSync(STATE_DIR, { recursive: true })
  writeFileSync(READY, '')
  return true
}

/** Whether all that pods need has been in force since the machine was started. */
export const isReady = (): boolean => existsSync(READY)

/** Writes down what a setting was before it was changed for the first time. */
export function rememberSysctl(key: string, value: string): void {
  if (formerSysctls().has(key)) return
  mkdirSync(STATE_DIR, { recursive: true })
  writeFileSync(SYSCTLS, `${key} ${value}\n`, { flag: 'a', mode: 0o600 })
}

/** What the changed settings were, in the order in which they were changed. */
export function formerSysctls(): Map<string, string> {
  if (!existsSync(SYSCTLS)) return new Map()
  const lines = readFileSync(SYSCTLS, 'utf8').matchAll(/^(?!.*\.\.)(net\/[-\w/.]+) (\d+)$/gm)
  return new Map([...lines].map(([, key = '', value = '']) => [key, value]))
}
