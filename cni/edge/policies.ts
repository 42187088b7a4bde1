import { existsSync, mkdirSync, readdirSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { errnoOf, readPlain } from '../../ipam/edge/files.ts'
import {
  addressesOfOnly,
  type Attached,
  fileOfId,
  formatAttached,
  idOfFile,
  parseAttached,
  refuseUnnamed,
} from '../core/pod.ts'
import { CniError, messageOf } from '../spec/error.ts'
import type { Policies } from '../spec/policies.ts'
import { forgetConnections } from './connections.ts'
import { close, takeOut } from './policy-elements.ts'

/*
 * NetworkPolicies are podwired's work. What has to be known without it is in a folder that is there where podwired
 * enforces them: a file for each namespace that has any, and one for each pod that is wired, whoever has wired it.
 */

/** Where podwired enforces policies. */
export const POLICY_FOLDER = '/run/podwire/policy'
const NAMESPACES = `${POLICY_FOLDER}/namespaces`
const PODS = `${POLICY_FOLDER}/pods`

/** What the plugin does about policies by itself: pods that may have some are closed until podwired is back. */
export const WITHOUT_DAEMON: Policies = {
  attach: async pod => {
    if (existsSync(POLICY_FOLDER)) await closePod(pod)
  },
  detach: async id => {
    const left = addressesOfOnly(
      id,
      rememberedPods(() => {}),
    )
    if (left.length > 0) {
      takeOut({ addresses: left })
      await forgetConnections(left)
    }
    forgetPod(id)
  },
}

/**
 * Remembers a pod, takes its addresses from whoever had them, and closes it in both directions when its namespace has
 * policies: nobody here knows which are its. Throws `invalid-environment`, `try-again`, `io`.
 */
export async function closePod(pod: Attached): Promise<void> {
  rememberPod(pod)
  if (hasPolicies(pod.namespace)) close(pod)
  else takeOut(pod)
  await forgetConnections(pod.addresses)
}

/** While podwired has never heard which namespaces have any, each may. */
const hasPolicies = (namespace: string): boolean =>
  existsSync(`${NAMESPACES}/${namespace}`) || !existsSync(NAMESPACES)

/** Writes down that a pod is wired. Throws `invalid-environment` for one that no policy can mean, and `io`. */
export function rememberPod(pod: Attached): void {
  refuseUnnamed(pod)
  const file = fileOfId(pod.id)
  tried('remember a pod in', PODS, () => {
    mkdirSync(PODS, { recursive: true, mode: 0o700 })
    // The name of a network does not begin with a dot, so nobody reads a half of it.
    writeFileSync(`${PODS}/.${file}`, formatAttached(pod), { mode: 0o600 })
    renameSync(`${PODS}/.${file}`, `${PODS}/${file}`)
  })
}

/** The attachment is gone; fine when nobody knows of it. Throws `io`. */
export function forgetPod(id: string): void {
  const path = `${PODS}/${fileOfId(id)}`
  tried('remove', path, () => unlinkSync(path), 'ENOENT', 'ENOTDIR')
}

/** All pods that are wired, in the order of their ADDs. `tell` hears of files that nobody can read. Throws `io`. */
export function rememberedPods(tell: (problem: string) => void): Attached[] {
  const files = tried('list', PODS, () => readdirSync(PODS), 'ENOENT', 'ENOTDIR') ?? []
  const pods = files.flatMap(file => {
    const id = idOfFile(file)
    return id === undefined ? [] : readPod(id, tell)
  })
  return pods.toSorted((a, b) => a.writtenAt - b.writtenAt).map(({ pod }) => pod)
}

/** An attachment as it was remembered, if it was. */
function readPod(
  id: string,
  tell: (problem: string) => void,
): { readonly pod: Attached; readonly writtenAt: number }[] {
  const path = `${PODS}/${fileOfId(id)}`
  const content = readPlain(path)
  if (content.kind === 'missing') return []
  const pod = content.kind === 'text' ? parseAttached(id, content.text) : undefined
  if (pod !== undefined && content.kind === 'text') return [{ pod, writtenAt: content.writtenAt }]
  const why = content.kind === 'text' ? 'it is damaged' : content.why
  tell(`Cannot read ${path}: ${why}; remove it when its pod is gone`)
  return []
}

/** Does something to a path; the system's errors listed in `expected` give undefined. */
function tried<T>(action: string, path: string, run: () => T, ...expected: string[]): T | undefined {
  try {
    return run()
  } catch (cause) {
    if (expected.includes(errnoOf(cause) ?? '')) return undefined
    throw new CniError(
      'io',
      `Cannot ${action} ${path}: ${messageOf(cause)}; see whether it is full or read-only`,
      {
        cause,
      },
    )
  }
}
