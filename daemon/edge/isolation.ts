import { networkOfAlias } from '../../cni/core/names.ts'
import { setPort } from '../../cni/core/netlink/port.ts'
import { isErrno } from '../../cni/edge/netlink.ts'
import { loadRules } from '../../cni/edge/nft.ts'
import { Site } from '../../cni/edge/site.ts'
import { readSysctl } from '../../cni/edge/sysctl.ts'
import { messageOf } from '../../cni/spec/error.ts'
import type { World } from '../../cni/spec/world.ts'
import { FRAMES_TABLE, framesScript } from '../core/policy/frames.ts'

/**
 * Whether what passes a bridge of the node meets the hooks for IP (br_netfilter). Services are translated there then, and
 * the bridge itself takes what is for a pod of the same node to that pod's port: from one that is isolated it would not.
 */
export const filtersBridged = (): boolean =>
  ['iptables', 'ip6tables'].some(name => readSysctl(`net/bridge/bridge-nf-call-${name}`) === '1')

/** Has bridges drop what br_netfilter shows to no rule, and pods yet take. Throws where the kernel has no rules for bridges. */
export async function filterFrames(world: Pick<World, 'env'>): Promise<void> {
  try {
    await loadRules(world, framesScript(), { table: FRAMES_TABLE })
  } catch (cause) {
    throw new Error(
      `Cannot keep frames from pods that policies do not see: ${messageOf(cause)}; with br_netfilter the kernel needs nf_tables_bridge, too`,
      { cause },
    )
  }
}

/**
 * `bridge link set dev PORT isolated on`, or off, for the ports of a bridge that are pods' of this network and are not so;
 * answers how many. Throws the kernel's refusal.
 */
export function isolatePorts(bridge: string, network: string, isolated: boolean): number {
  using host = new Site()
  const link = host.link(bridge)
  const ports = link === undefined ? [] : host.links(link.index)
  return ports
    .filter(port => networkOfAlias(port.alias) === network && port.isolated !== isolated)
    .map(({ index, hairpin }) => change(host, index, hairpin, isolated))
    .filter(isChanged => isChanged).length
}

/** False when the port is gone. */
function change(host: Site, index: number, hairpin: boolean, isolated: boolean): boolean {
  try {
    host.netlink.request(setPort(index, { hairpin, isolated }))
    return true
  } catch (error) {
    // ENODEV of a link that is gone, EINVAL or EOPNOTSUPP of one that has left the bridge.
    if (isErrno(error, 'ENODEV', 'EINVAL', 'EOPNOTSUPP')) return false
    throw error
  }
}
