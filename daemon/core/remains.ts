import { networkOfAlias } from '../../cni/core/names.ts'
import type { Link } from '../../cni/core/netlink/link.ts'
import { BRIDGE, NETWORK } from './conflist.ts'

/** What the plugin calls a veth's node end and an ifb device, and nobody else does: others use fewer or more digits. */
const VETH = /^veth[0-9a-f]{11}$/
const IFB = /^bwp[0-9a-f]{11}$/

/**
 * The node's ends of our pods' veths, and their ifb devices: by their alias; and without one by their name, a veth also by
 * our bridge, for an ADD that was killed between making and labelling them.
 */
export function ownLinks(links: readonly Link[]): Link[] {
  const bridge = links.find(link => link.name === BRIDGE)
  return links.filter(({ kind, name, alias, master }) => {
    if (kind !== 'veth' && kind !== 'ifb') return false
    if (alias !== undefined) return networkOfAlias(alias) === NETWORK
    if (kind === 'ifb') return IFB.test(name)
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
