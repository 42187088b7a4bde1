import type { Json, JsonObject } from '../../cni/spec/read.ts'
import { NEWEST } from '../../cni/spec/version.ts'
import { type Cidr, formatCidr, networkOf } from '../../ipam/core/ip.ts'

/** The network's name: in the conflist, in the labels of links and rules, as the folder of its addresses. */
export const NETWORK = 'podwire'
/** The bridge that the node's pods are plugged into. */
export const BRIDGE = 'cbr0'
/** Container runtimes take the first file of the folder in the order of names. */
export const CONFLIST = '10-podwire.conflist'

/** What of a node its network config depends on. */
export interface PodNetwork {
  /** Each pod gets an address of each. */
  readonly podCidrs: readonly Cidr[]
  /** Bytes; undefined leaves it to the plugin, which takes that of the default route's interface at each ADD. */
  readonly mtu: number | undefined
  /**
   * Whether the bridge keeps pods apart, so that they reach each other only where they are routed, and policies are. Not
   * where br_netfilter is: there it is the bridge that takes what is for a Service to a pod of the same node.
   */
  readonly portIsolation: boolean
}

/** The plugin's own keys, as they stand in the conflist. */
const pluginOf = ({ podCidrs, mtu, portIsolation }: PodNetwork): JsonObject => ({
  type: 'podwire',
  bridge: BRIDGE,
  // Routed, so that replies among pods of one node meet conntrack: kind nodes do not load br_netfilter.
  mode: 'l3',
  isDefaultGateway: true,
  // A node that was given another podCIDR keeps its bridge, with the former gateway's address on it.
  forceAddress: true,
  portIsolation,
  // Where the bridge takes to a pod what is for its own Service, it has to send it back by the port that it came in.
  hairpinMode: !portIsolation,
  mtu,
  capabilities: { portMappings: true, bandwidth: true },
  ipam: { type: 'podwire-ipam', ranges: podCidrs.map(cidr => [{ subnet: formatCidr(networkOf(cidr)) }]) },
})

/**
 * The conflist, JSON for people with a newline at its end: our plugin alone, which sees to hostPorts itself.
 * Runtimes from before `cniVersions` (CNI SPEC 1.1.0, section 1) read `cniVersion`; newer ones take the newest of both
 * lists, and with it STATUS and GC. Throws without podCIDRs: a node with such a config would be Ready, and no pod start.
 */
export function formatConflist(network: PodNetwork): string {
  if (network.podCidrs.length === 0)
    throw new Error(`Cannot write ${CONFLIST}: the node has no podCIDR; wait until its Node object has one`)
  const conflist: Json = {
    cniVersion: '1.0.0',
    cniVersions: ['1.0.0', '1.1.0'],
    name: NETWORK,
    plugins: [pluginOf(network)],
  }
  return `${JSON.stringify(conflist, undefined, 2)}\n`
}

/**
 * The config that the plugin gets of a runtime that reads the conflist, for calling it without one. DEL and GC also take
 * it without podCIDRs.
 */
export const pluginConfig = (network: PodNetwork): JsonObject => ({
  cniVersion: NEWEST,
  name: NETWORK,
  ...pluginOf(network),
})
