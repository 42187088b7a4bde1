import type { NetworkConfig } from '../spec/config.ts'
import type { Attachment, Environment, IfName } from '../spec/environment.ts'
import { parseGatewayConfig, readMac } from './config.ts'
import type { Mac } from './mac.ts'
import { containerMac } from './names.ts'
import { gatewayInterface } from './plan/bridge.ts'

/*
 * In mode l3 the node knows for good by which MACs its containers' addresses are reached: so its kernel keeps that
 * until somebody removes it. Whoever does may have another config than the ADD had: another mode, or what no ADD would
 * take.
 */

/** The interface where the node knows the containers of a network, if it does; undefined where there can be none. */
export function introducedOn({ keys }: NetworkConfig): IfName | undefined {
  try {
    return gatewayInterface(parseGatewayConfig(keys))
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
    return containerMac(readMac(keys, args), attachment)
  } catch {
    return undefined
  }
}
