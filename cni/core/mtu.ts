import { formatCidr } from '../../ipam/core/ip.ts'
import { CniError } from '../spec/error.ts'
import type { Result } from '../spec/result.ts'
import type { PluginConfig } from './config.ts'
import type { Node } from './plan/wish.ts'

/** The smallest MTU that IPv6 works with (RFC 8200); on a link with less the kernel has no IPv6 at all. */
const IPV6_MINIMUM = 1280

/** Refuses IPv6 addresses on a link that is too narrow for them, as `invalid-config`. */
export function refuseNarrow(config: PluginConfig, { mtu }: Node, { ips }: Result): void {
  const ipv6 = ips.find(({ address }) => address.ip.family.version === 6)
  if (ipv6 === undefined || mtu >= IPV6_MINIMUM) return
  const origin = config.mtu === undefined ? "the default route's interface has" : '"mtu" is'
  throw new CniError(
    'invalid-config',
    `Cannot add the address ${formatCidr(ipv6.address)}: IPv6 needs an MTU of ${IPV6_MINIMUM} bytes, and ${origin} ${mtu}; set "mtu" to that or more, or leave IPv6 out of "ipam"`,
  )
}
