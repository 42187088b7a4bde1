import type { Brand } from './brand.ts'
import { type Attachment, isName, parseContainerId, parseIfName } from './environment.ts'
import { CniError, messageOf } from './error.ts'
import { isObject, type JsonObject, Reader } from './read.ts'
import { type CniVersion, parseVersion } from './version.ts'

/** The name of a network; safe as a file name, as the specification draws it. */
export type NetworkName = Brand<string, 'NetworkName'>

/** What every plugin's config has (SPEC 1.1.0, section 1); the plugin reads its own keys from `keys`. */
export interface NetworkConfig {
  readonly version: CniVersion
  readonly name: NetworkName
  readonly keys: Reader
  /** The config as it came, for delegates. */
  readonly json: JsonObject
}

/** Decodes standard input. Throws `decode`. */
export function decode(stdin: Uint8Array): JsonObject {
  const json: unknown = parseJson(new TextDecoder().decode(stdin))
  if (isObject(json as JsonObject)) return json as JsonObject
  throw new CniError('decode', 'Cannot read the network config on standard input: it is not a JSON object')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const state = text.trim() === '' ? 'it is empty' : messageOf(cause).slice(0, 200)
    throw new CniError('decode', `Cannot read the network config on standard input: ${state}`, { cause })
  }
}

/** Reads the keys that all plugins share. Throws `invalid-config`, `incompatible-version`. */
export function parseNetworkConfig(json: JsonObject): NetworkConfig {
  const keys = new Reader(json)
  const name = keys.string('name') ?? ''
  if (name === '') throw new CniError('invalid-config', 'missing network name: set "name" in the config')
  if (!isName(name)) {
    throw new CniError(
      'invalid-config',
      `Cannot use the network name "${name.slice(0, 80)}": it must be letters, digits, "_", "." or "-", and start with a letter or digit`,
    )
  }
  return { version: parseVersion(keys.string('cniVersion')), name: name as NetworkName, keys, json }
}

/**
 * The attachments that GC must keep (`cni.dev/valid-attachments`); undefined when the key is absent, which means
 * "not told", while an empty list means "none is valid". Libcni also sends the older `cni.dev/attachments`.
 */
export function parseValidAttachments(keys: Reader): Attachment[] | undefined {
  const key =
    keys.value('cni.dev/valid-attachments') === undefined
      ? 'cni.dev/attachments'
      : 'cni.dev/valid-attachments'
  return keys.objects(key)?.map(item => ({
    containerId: parseContainerId(
      item.string('containerID') ?? '',
      item.path('containerID'),
      'invalid-config',
    ),
    ifname: parseIfName(item.string('ifname') ?? '', item.path('ifname'), 'invalid-config'),
  }))
}
