import type { Family } from '../../ipam/core/ip.ts'

/** What of the node the wanted settings depend on. */
export interface SysctlNode {
  /** The families that its pods have addresses of. */
  readonly families: ReadonlySet<Family['version']>
  /** The pods' bridge, whether or not it is there. */
  readonly bridge: string
  /** The interfaces that IPv6 default routes leave through. */
  readonly uplinks: readonly string[]
}

/** A setting to be changed; `key` is its path below /proc/sys. */
export interface SysctlChange {
  readonly key: string
  /** Undefined when it cannot be read. */
  readonly from: string | undefined
  readonly to: string
  /** What for, as the end of a sentence. */
  readonly reason: string
}

/**
 * The settings that are not as pods need them, in groups: when one cannot be set, the rest of its group must stay as
 * it is. `read` gives what a setting is now.
 */
export function planSysctls(
  node: SysctlNode,
  read: (key: string) => string | undefined,
): readonly (readonly SysctlChange[])[] {
  const differs = (key: string, to: string, reason: string): SysctlChange[] =>
    read(key) === to ? [] : [{ key, from: read(key), to, reason }]
  const groups = [
    ...(node.families.has(4) ? ipv4(node, read, differs) : []),
    ...(node.families.has(6) ? [ipv6(node, read, differs)] : []),
    bridged(read, differs),
  ]
  return groups.filter(group => group.length > 0)
}

type Read = Parameters<typeof planSysctls>[1]
type Differs = (key: string, to: string, reason: string) => SysctlChange[]

/**
 * Forwarding, and no redirects: all that pods send is routed through the bridge, so the kernel would tell a pod to
 * send to its neighbour directly, past nftables and conntrack. It goes by `all` or the bridge's own; `default` is
 * for a bridge that is yet to be made.
 */
function ipv4({ bridge }: SysctlNode, read: Read, differs: Differs): SysctlChange[][] {
  const key = (device: string): string => `net/ipv4/conf/${device}/send_redirects`
  const devices = ['all', 'default', ...(read(key(bridge)) === undefined ? [] : [bridge])]
  return [
    differs('net/ipv4/ip_forward', '1', 'pods are reached by routing'),
    ...devices.map(device => differs(key(device), '0', 'pods must not be told to bypass the bridge')),
  ]
}

/**
 * What bridges pass meets the hooks for IP in both families or in none (br_netfilter). As soon as it does in one, the
 * pods' bridge has to take on what is for a Service, so it cannot keep pods apart (daemon/edge/isolation.ts); and then
 * what it takes on of the other family, link-local addresses among it, would meet no NetworkPolicy.
 */
function bridged(read: Read, differs: Differs): SysctlChange[] {
  const keys = ['iptables', 'ip6tables'].map(name => `net/bridge/bridge-nf-call-${name}`)
  if (!keys.some(key => read(key) === '1')) return []
  return keys.flatMap(key =>
    differs(key, '1', 'NetworkPolicies must see what the bridge passes of either family'),
  )
}

/**
 * Forwarding. A node that forwards listens to router advertisements only with `accept_ra` 2, and the kernel removes the
 * default routes that it has from them as soon as forwarding is switched on: so that comes second.
 */
function ipv6({ uplinks }: SysctlNode, read: Read, differs: Differs): SysctlChange[] {
  const forwarding = differs('net/ipv6/conf/all/forwarding', '1', 'pods are reached by routing')
  if (forwarding.length === 0) return []
  const listening = uplinks
    .map(uplink => `net/ipv6/conf/${uplink}/accept_ra`)
    .filter(key => read(key) === '1')
    .flatMap(key => differs(key, '2', 'a node that forwards would lose its default route'))
  return [...listening, ...forwarding]
}
