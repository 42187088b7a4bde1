import { FAMILIES } from '../../ipam/core/ip.ts'
import { gatewayInterface } from '../core/plan/bridge.ts'
import type { PluginConfig } from '../core/config.ts'
import type { Observed, ObservedSite } from '../core/compare.ts'
import type { Node } from '../core/plan/wish.ts'
import type { Owner } from '../core/table.ts'
import type { Link } from '../core/netlink/link.ts'
import { IFF } from '../core/netlink/link-header.ts'
import { UNSET } from '../core/netlink/settings.ts'
import { CniError } from '../spec/error.ts'
import type { Step } from '../core/step.ts'
import { refuseOther } from './apply-bridge.ts'
import { defaultRoute } from './default-route.ts'
import type { Site, Sites } from './site.ts'
import { countAllRules, listOwnedBy } from './table.ts'

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
    settings: bridge === undefined ? UNSET : host.settings(config.bridge),
    hasVlanInterface:
      config.isGateway && config.vlan !== undefined && host.link(gatewayInterface(config)) !== undefined,
    mtu: config.mtu ?? defaultRoute(host)?.mtu ?? ETHERNET_MTU,
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

/** The kernel as CHECK compares it: the named links, what is on them, and the table. */
export function observe(
  { host, container }: Sites,
  owner: Owner,
  steps: readonly Step[],
  names: { host: string[]; container: string[] },
): Observed {
  return {
    host: observeSite(host, names.host),
    container: observeSite(container, names.container),
    routes: FAMILIES.flatMap(family => container.routes(family)),
    rules: listOwnedBy(owner),
    ruleCounts: countAllRules(),
    qdiscs: steps.flatMap(step => (step.kind === 'shape' ? (host.rootQdisc(step.name) ?? []) : [])),
    redirects: steps.flatMap(step => (step.kind === 'redirect' ? host.redirects(step.name) : [])),
  }
}

function observeSite(site: Site, names: readonly string[]): ObservedSite {
  const links = names.flatMap(name => site.link(name) ?? [])
  return { links, addresses: links.flatMap(link => site.addresses(link.name)) }
}
