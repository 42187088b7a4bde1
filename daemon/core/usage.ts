import {
  type Cidr,
  contains,
  type Family,
  formatCidr,
  lastOf,
  networkOf,
  parseIp,
} from '../../ipam/core/ip.ts'
import { inRange, type Range, type RangeSet } from '../../ipam/core/range.ts'
import { outermost } from './networks.ts'

/** How many addresses of one family a node can give out, and how many of these are held. */
export interface AddressUsage {
  readonly family: Family
  readonly used: number
  /** A bigint, for a node's IPv6 /64 has 2^64 - 2. */
  readonly free: bigint
}

/**
 * Counts what is held of the addresses that an ADD could give out, by family; a family without ranges is left out.
 * `names` are those of the files in the store: whatever such a file holds, its address is taken. An address that is
 * held but outside of the ranges (the node had another podCIDR once) takes nothing away and does not count.
 */
export function usageOf(
  sets: readonly RangeSet[],
  exclude: readonly Cidr[],
  names: Iterable<string>,
): AddressUsage[] {
  const ips = [...names].flatMap(name => parseIp(name) ?? [])
  return [...new Set(sets.map(familyOf))].map(family => {
    const own = sets.filter(set => familyOf(set) === family)
    const isGiven = (set: RangeSet, ip: (typeof ips)[number]): boolean =>
      set.some(range => inRange(range, ip)) &&
      !set.some(({ gateway }) => gateway.value === ip.value) &&
      !exclude.some(cidr => contains(cidr, ip))
    const used = ips.filter(ip => ip.family === family && own.some(set => isGiven(set, ip))).length
    const capacity = own.reduce((sum, set) => sum + capacityOf(set, exclude), 0n)
    return { family, used, free: capacity - BigInt(used) }
  })
}

const familyOf = (set: RangeSet): Family => set[0].start.family

/** How many addresses of a set an ADD could give out if none were held. */
function capacityOf(set: RangeSet, exclude: readonly Cidr[]): bigint {
  const excluded = [
    ...outermost(exclude.map(networkOf).map(cidr => [formatCidr(cidr), cidr] as const)).values(),
  ]
  const gateways = new Map(set.map(({ gateway }) => [gateway.value, gateway]))
  const kept = [...gateways.values()].filter(
    ip => set.some(range => inRange(range, ip)) && !excluded.some(cidr => contains(cidr, ip)),
  )
  return set.reduce((sum, range) => sum + sizeOf(range, excluded), -BigInt(kept.length))
}

function sizeOf({ start, end }: Range, excluded: readonly Cidr[]): bigint {
  const lost = excluded.flatMap(cidr => {
    if (cidr.ip.family !== start.family) return []
    const from = larger(networkOf(cidr).ip.value, start.value)
    const to = smaller(lastOf(cidr).value, end.value)
    return from <= to ? [to - from + 1n] : []
  })
  return lost.reduce((size, count) => size - count, end.value - start.value + 1n)
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b)
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b)
