import { FAMILIES } from '../../ipam/core/ip.ts'
import { gatewayInterface } from '../core/plan/bridge.ts'
import type { PluginConfig } from '../core/config.ts'
import type { Observed, ObservedSite } from '../core/compare.ts'
import type { Node } from '../core/plan/wish.ts'
import { MAIN_TABLE } from '../core/netlink/route.ts'
import { getLinkByIndex, type Link, parseLink } from '../core/netlink/link.ts'
import { IFF } from '../core/netlink/link-header.ts'
import { CniError } from '../spec/error.ts'
import type { Call } from '../spec/plugin.ts'
import { refuseOther } from './apply-bridge.ts'
import { listOwned } from './nft.ts'
import type { Site, Sites } from './site.ts'

/** Ethernet's MTU, for a node without a default route. */
const ETHERNET_MTU = 1500

/** What a plan has to know of the node. Throws `bridge-conflict` when the bridge's name belongs to something else. */
export function observeNode(host: Site, config: PluginConfig): Node {
  const bridge = host.link(config.bridge)
  refuseOther(bridge)
  refuseUnfiltered(bridge, config)
  return {
    // One that is down is somebody's who is not done, or died before.
    hasBridge: bridge !== undefined && (bridge.flags & IFF.up) !== 0,
    hasVlanInterface:
      config.isGateway && config.vlan !== undefined && host.link(gatewayInterface(config)) !== undefined,
    mtu: config.mtu ?? defaultRouteMtu(host) ?? ETHERNET_MTU,
  }
}

/** A bridge without VLAN filtering takes VLANs on its ports, and keeps nobody apart by them. */
function refuseUnfiltered(bridge: Link | undefined, { vlan, trunk }: PluginConfig): void {
  if (bridge === undefined || bridge.vlanFiltering || (vlan === undefined && trunk.length === 0)) return
  throw new CniError(
    'bridge-conflict',
    `Cannot use "vlan" or "vlanTrunk" on the bridge "${bridge.name}": its VLAN filtering is off; turn it on (ip link set ${bridge.name} type bridge vlan_filtering 1; the kernel needs CONFIG_BRIDGE_VLAN_FILTERING), or choose another "bridge"`,
  )
}

/** The MTU of the interface that the node's default route leaves through. */
function defaultRouteMtu(host: Site): number | undefined {
  for (const family of FAMILIES) {
    const route = host.routes(family).find(({ dst, table }) => dst.prefix === 0 && table === MAIN_TABLE)
    const reply = route?.index === undefined ? undefined : host.netlink.request(getLinkByIndex(route.index))
    if (reply !== undefined) return parseLink(reply.body).mtu
  }
  return undefined
}

/** The kernel as CHECK compares it: the named links, and what is on them. */
export async function observe(
  sites: Sites,
  call: Call,
  names: { host: string[]; container: string[] },
  withRules: boolean,
): Promise<Observed> {
  return {
    host: observeSite(sites.host, names.host),
    container: observeSite(sites.container, names.container),
    rules: withRules ? await listOwned(call.world) : [],
  }
}

function observeSite(site: Site, names: readonly string[]): ObservedSite {
  const links = names.flatMap(name => site.link(name) ?? [])
  return {
    links,
    addresses: links.flatMap(link => site.addresses(link.name)),
    routes: FAMILIES.flatMap(family => site.routes(family)),
  }
}
