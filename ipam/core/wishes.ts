import { CniError } from '../../cni/spec/error.ts'
import type { IpamConfig } from './config.ts'
import { contains, formatIp, type Ip, sameIp } from './ip.ts'
import { formatSet, rangeOf, type RangeSet } from './range.ts'

/** What a range set is asked for: one address by name, or any. */
export interface Wish {
  readonly set: RangeSet
  readonly ip: Ip | undefined
}

/**
 * Deals the addresses that the runtime asks for by name out to the range sets, one to each at most. Throws
 * `invalid-config` when there is no range at all, and when an asked address is in none, or never given out.
 */
export function dealWishes(network: string, { sets, requested, exclude }: IpamConfig): Wish[] {
  if (sets.length === 0) {
    throw new CniError(
      'invalid-config',
      `Cannot reserve an address in network "${network}": it has no range; set "ipam.ranges", such as [[{"subnet": "10.1.0.0/24"}]]`,
    )
  }
  const left = new Set(requested)
  const wishes = sets.map(set => {
    const ip = [...left].find(wanted => rangeOf(set, wanted) !== undefined)
    if (ip !== undefined) left.delete(ip)
    return { set, ip }
  })
  if (left.size > 0) {
    const rule = `failed to allocate all requested IPs; ask for at most one address of each of ${sets.map(formatSet).join(' and ')}`
    refuse(network, [...left], rule)
  }
  for (const { set, ip } of wishes) {
    if (ip === undefined) continue
    if (set.some(range => sameIp(range.gateway, ip)))
      refuse(network, [ip], 'it is the gateway; ask for another address')
    if (exclude.some(cidr => contains(cidr, ip)))
      refuse(network, [ip], '"ipam.exclude" holds it back; ask for another address')
  }
  return wishes
}

function refuse(network: string, ips: readonly Ip[], rule: string): never {
  throw new CniError(
    'invalid-config',
    `Cannot reserve ${ips.map(formatIp).join(', ')} in network "${network}": ${rule}`,
  )
}
