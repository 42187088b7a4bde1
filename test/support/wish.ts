import { type PluginConfig, parsePluginConfig } from '../../cni/core/config.ts'
import { completeGateways } from '../../cni/core/gateway.ts'
import { UNSET } from '../../cni/core/netlink/settings.ts'
import type { Node, Wish } from '../../cni/core/plan/wish.ts'
import { parseNetworkConfig } from '../../cni/spec/config.ts'
import { type Attachment, parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import type { Result } from '../../cni/spec/result.ts'
import { cidr } from './result.ts'

/** An attachment by its two names. */
export const attachment = (containerId: string, ifname: string): Attachment => ({
  containerId: parseContainerId(containerId, 'CNI_CONTAINERID'),
  ifname: parseIfName(ifname, 'CNI_IFNAME'),
})

/** A config of the network "pods" with these keys. */
export const network = (keys: JsonObject = {}) =>
  parseNetworkConfig({ cniVersion: '1.1.0', name: 'pods', type: 'podwire', ...keys })

/** The plugin's reading of these keys, and of CNI_ARGS. */
export const config = (keys: JsonObject = {}, args: Readonly<Record<string, string>> = {}): PluginConfig =>
  parsePluginConfig(network(keys), new Map(Object.entries(args)))

/** What an address plugin answers: these addresses, and a default route for each family of them. */
export const addresses = (...cidrs: readonly string[]): Result => ({
  interfaces: [],
  ips: cidrs.map(text => ({ address: cidr(text) })),
  routes: cidrs.map(text => ({ dst: cidr(text.includes(':') ? '::/0' : '0.0.0.0/0') })),
  dns: {},
})

/** What container c1 wishes for eth0, on a node without a bridge unless `node` says otherwise. */
export function wish(keys: JsonObject, ipam: Result, node: Partial<Node> = {}): Wish {
  const parsed = config(ipam.ips.length === 0 ? keys : { ipam: { type: 'podwire-ipam' }, ...keys })
  return {
    config: parsed,
    network: network().name,
    attachment: attachment('c1', 'eth0'),
    result: completeGateways(parsed, ipam),
    node: { hasBridge: false, settings: UNSET, hasVlanInterface: false, mtu: 1500, ...node },
  }
}
