import { isObject, type Json, type JsonObject } from '../../cni/spec/read.ts'
import type { Frame } from './frame.ts'

/** The folder that the daemon's container and the node share under the same name. */
const SHARED = '/run/podwire/'

/**
 * Whether a call means the same here as where it was made: there, paths lead into the node's files. A daemon on the
 * node itself (`mounts` is its mount namespace) sees them all, one in a container only the folders that both share; and
 * it has no plugin of others to start.
 */
export function isVisible(frame: Frame, mounts: bigint): boolean {
  if (frame.mounts === mounts) return true
  if (frame.env['PODWIRE_TRACE']) return false
  const config = parseConfig(frame.stdin)
  const ipam = objectAt(config, 'ipam')
  const type = textAt(ipam, 'type')
  return (
    isBuiltIn(frame.program, type) &&
    isShared(textAt(ipam, 'dataDir')) &&
    textAt(ipam, 'resolvConf') === '' &&
    textAt(config, 'trace') === ''
  )
}

const isBuiltIn = (program: string, type: string): boolean =>
  type === '' || type === 'podwire-ipam' || program === 'podwire-ipam'

/** The folder that is used when none is given is one of ours. */
const isShared = (folder: string): boolean =>
  folder === '' || (folder.startsWith(SHARED) && !folder.split('/').includes('..'))

/** What is no config needs no file to be refused, by whomever it is. */
function parseConfig(stdin: Uint8Array): JsonObject {
  try {
    const json = JSON.parse(new TextDecoder().decode(stdin)) as Json
    return isObject(json) ? json : {}
  } catch {
    return {}
  }
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = object[key]
  return isObject(value) ? value : {}
}

/** The text under a key; what is no text will be refused wherever the call goes. */
function textAt(object: JsonObject, key: string): string {
  const value = object[key]
  return typeof value === 'string' ? value : ''
}
