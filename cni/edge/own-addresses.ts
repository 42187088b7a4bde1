import { formatIp } from '../../ipam/core/ip.ts'
import { dumpAddresses, parseAddress } from '../core/netlink/address.ts'
import { Site } from './site.ts'

/** `ip address show`: the node's own addresses, as text. */
export function ownAddresses(): ReadonlySet<string> {
  using host = new Site()
  const addresses = host.netlink.dump(dumpAddresses(0)).flatMap(({ body }) => parseAddress(body) ?? [])
  return new Set(addresses.map(({ cidr }) => formatIp(cidr.ip)))
}
