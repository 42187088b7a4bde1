import type { Ip } from '../../ipam/core/ip.ts'
import { delNeighbour } from '../core/netlink/neighbour.ts'
import type { IfName } from '../spec/environment.ts'
import type { Site } from './site.ts'

/**
 * Forgets the packets that wait on a bridge for somebody to answer to these addresses: `ip neighbour del IP dev BRIDGE`.
 * They have passed all rules already, and would be delivered to whoever comes.
 */
export function forgetWaiting(host: Site, bridge: IfName, addresses: readonly Ip[]): void {
  const index = host.link(bridge)?.index
  if (index === undefined) return
  for (const ip of addresses) host.netlink.find(delNeighbour(index, ip), 'ENOENT')
}
