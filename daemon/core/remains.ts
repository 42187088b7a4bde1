import { networkOfAlias } from '../../cni/core/names.ts'
import type { Link } from '../../cni/core/netlink/link.ts'
import { BRIDGE, NETWORK } from './conflist.ts'

/** What a veth's node end is called by the plugin, and by nobody else: other programs use fewer digits. */
const VETH = /^veth[0-9a-f]{11}$/

/**
 * The node's ends of our pods' veths: by their alias, and without one in our bridge, for an ADD that was killed between
 * making and labelling its veth.
 */
export function ownVeths(links: readonly Link[]): Link[] {
  const bridge = links.find(link => link.name === BRIDGE)
  return links.filter(({ kind, name, alias, master }) => {
    if (kind !== 'veth') return false
    if (alias !== undefined) return networkOfAlias(alias) === NETWORK
    return VETH.test(name) && master !== undefined && master === bridge?.index
  })
}

/** Why the bridge has to stay; undefined when it may go, or is gone. */
export function whyBridgeStays(links: readonly Link[]): string | undefined {
  const bridge = links.find(link => link.name === BRIDGE)
  if (bridge === undefined) return undefined
  if (bridge.kind !== 'bridge') return 'it is no bridge'
  const ports = links.filter(({ master }) => master === bridge.index).map(({ name }) => name)
  return ports.length === 0 ? undefined : `${ports.join(', ')} in it would lose its network`
}
