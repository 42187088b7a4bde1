import { FAMILIES, type Family } from '../../../ipam/core/ip.ts'
import type { NetworkName } from '../../spec/config.ts'
import type { Attachment } from '../../spec/environment.ts'
import type { Result } from '../../spec/result.ts'
import type { PluginConfig } from '../config.ts'
import type { Settings } from '../netlink/settings.ts'

/** All that a plan follows from. */
export interface Wish {
  readonly config: PluginConfig
  readonly network: NetworkName
  readonly attachment: Attachment
  /** Addresses, gateways (completed) and routes. */
  readonly result: Result
  readonly node: Node
}

/** What the plan has to know of the node it is for. */
export interface Node {
  readonly hasBridge: boolean
  /** The bridge's settings; unset without one. */
  readonly settings: Settings
  /** Whether the bridge's VLAN interface is there; only looked at when the config names a VLAN. */
  readonly hasVlanInterface: boolean
  /** The MTU for a config that names none: that of the default route's interface. */
  readonly mtu: number
}

/** The families that the attachment has an address of. */
export const familiesOf = (result: Result): Family[] =>
  FAMILIES.filter(family => result.ips.some(ip => ip.address.ip.family === family))
