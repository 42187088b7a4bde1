import type { NetworkConfig } from '../spec/config.ts'
import type { Attachment, Environment, IfName } from '../spec/environment.ts'
import { parseGatewayConfig, readMac } from './config.ts'
import type { Mac } from './mac.ts'
import { attachmentPair } from './names.ts'
import { gatewayInterface } from './plan/bridge.ts'

/*
 * In mode l3 the node knows for good by which MACs its containers' addresses are reached: so its kernel keeps that until
 * somebody removes it. Whoever does may have a config that no ADD would take, any more or yet: then it was none of ours.
 */

/** The interface where the node knows the containers of a network; undefined where it has to ask. */
export function introducedOn({ keys }: NetworkConfig): IfName | undefined {
  try {
    const config = parseGatewayConfig(keys)
    return config.mode === 'l3' ? gatewayInterface(config) : undefined
  } catch {
    return undefined
  }
}

/** The MAC that the node knows a container by; undefined where the config asks for one that there cannot be. */
export function introducedBy(
  { keys }: NetworkConfig,
  args: Environment['args'],
  attachment: Attachment,
): Mac | undefined {
  try {
    return readMac(keys, args) ?? attachmentPair(attachment).peerMac
  } catch {
    return undefined
  }
}
