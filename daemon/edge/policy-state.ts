import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { POLICY_FOLDER } from '../../cni/edge/policies.ts'

/** A file for each namespace that has policies: without the daemon, the plugin closes pods of these. */
const NAMESPACES = `${POLICY_FOLDER}/namespaces`

/**
 * Says that policies are enforced here: from now on every pod that is wired is remembered, and closed as long as nobody
 * knows which namespaces have policies.
 */
export const enforcePolicies = (): void => void mkdirSync(POLICY_FOLDER, { recursive: true, mode: 0o700 })

let kept: ReadonlySet<string> | undefined

/** Has exactly these namespaces there. */
export function keepNamespaces(namespaces: ReadonlySet<string>): void {
  if (kept !== undefined && kept.symmetricDifference(namespaces).size === 0) return
  mkdirSync(NAMESPACES, { recursive: true, mode: 0o700 })
  const present = new Set(readdirSync(NAMESPACES))
  for (const name of namespaces.difference(present)) writeFileSync(`${NAMESPACES}/${name}`, '')
  for (const name of present.difference(namespaces)) rmSync(`${NAMESPACES}/${name}`, { recursive: true })
  kept = new Set(namespaces)
}
