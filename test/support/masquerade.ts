import type { MasqueradeWish } from '../../daemon/core/masquerade.ts'
import { formatCidr, formatIp } from '../../ipam/core/ip.ts'
import { cidr, ip } from './result.ts'

/** A wish in a test's own words: networks and addresses as text. */
export const masqueradeWish = (
  wish: Readonly<Partial<Record<keyof MasqueradeWish, readonly string[]>>>,
): MasqueradeWish => ({
  own: (wish.own ?? []).map(cidr),
  pods: new Map((wish.pods ?? []).map(cidr).map(network => [formatCidr(network), network])),
  nodes: new Map((wish.nodes ?? []).map(ip).map(address => [formatIp(address), address])),
  given: (wish.given ?? []).map(cidr),
})

/** Both families and all sets, with networks in networks; test/golden has its script, and what a kernel makes of it. */
export const GOLDEN_WISH = masqueradeWish({
  own: ['10.244.1.0/24', 'fd00:10:244:1::/64'],
  pods: ['10.244.1.0/24', '10.244.2.0/24', '10.244.3.7/32', 'fd00:10:244:1::/64', 'fd00:10:244:2::/64'],
  nodes: ['172.30.0.11', '172.30.0.12', 'fd00:172:30::11', '::102:304'],
  given: ['192.168.0.1/16', '192.168.7.0/24', '240.0.0.0/4', 'fd01::/16', 'ff00::/8', '::102:0/112'],
})
