import { CniError } from '../../cni/spec/error.ts'
import { type Json, Reader, readList, readObject } from '../../cni/spec/read.ts'
import {
  type Cidr,
  formatCidr,
  formatIp,
  type Ip,
  lastOf,
  networkOf,
  parseCidr,
  parseIp,
  contains,
} from './ip.ts'

/** Addresses of one subnet that may be given out: `start` to `end`, both included, without the gateway. */
export interface Range {
  readonly subnet: Cidr
  readonly start: Ip
  readonly end: Ip
  /** Never given out. May lie outside of the subnet, as the reference allows. */
  readonly gateway: Ip
}

/** A pool: every attachment gets one address of each set. All ranges are of one family, and none share an address. */
export type RangeSet = readonly [Range, ...Range[]]

const invalid = (problem: string): never => {
  throw new CniError('invalid-config', problem)
}

/** Whether an address lies between a range's ends. */
export const inRange = (range: Range, ip: Ip): boolean =>
  ip.family === range.start.family && range.start.value <= ip.value && ip.value <= range.end.value

/** The range of a set that an address belongs to. */
export const rangeOf = (set: RangeSet, ip: Ip): Range | undefined => set.find(range => inRange(range, ip))

const formatRange = (range: Range): string => `${formatIp(range.start)}-${formatIp(range.end)}`

/** `first-last` of every range of a set, separated by commas. */
export const formatSet = (set: RangeSet): string => set.map(formatRange).join(',')

/** Reads one item of `ranges`: a list of ranges. */
export function readRangeSet(value: Json, path: string): RangeSet {
  const [first, ...more] = readList(value, path, (item, at) => readRange(readObject(item, at)))
  if (first === undefined)
    return invalid(`Cannot use "${path}": it is empty; give it a range such as {"subnet": "10.1.0.0/24"}`)
  return [first, ...more]
}

/**
 * Reads `subnet`, `rangeStart`, `rangeEnd`, `gateway` of one range and fills in what is missing: all of the subnet but
 * its own address and, for IPv4, its broadcast; the first address as gateway. Throws `invalid-config`.
 */
export function readRange(keys: Reader): Range {
  const subnet = readSubnet(keys)
  const { family, value } = subnet.ip
  const first: Ip = { family, value: value + 1n }
  const last: Ip = { family, value: lastOf(subnet).value - (family.version === 4 ? 1n : 0n) }
  const range = {
    subnet,
    start: readEnd(keys, 'rangeStart', subnet) ?? first,
    end: readEnd(keys, 'rangeEnd', subnet) ?? last,
    gateway: readIp(keys, 'gateway') ?? first,
  }
  if (range.start.value > range.end.value) {
    invalid(
      `Cannot use the range ${formatRange(range)} of ${formatCidr(subnet)}: it ends before it starts; swap "rangeStart" and "rangeEnd"`,
    )
  }
  if (range.gateway.family !== family) {
    invalid(
      `Cannot use "${keys.path('gateway')}": ${formatIp(range.gateway)} is not of the family of ${formatCidr(subnet)}; give each family its own range`,
    )
  }
  return range
}

function readSubnet(keys: Reader): Cidr {
  const path = keys.path('subnet')
  const text = keys.string('subnet') ?? ''
  const subnet = parseCidr(text)
  if (subnet === undefined)
    return invalid(
      `Cannot use "${path}": expected a network such as "10.1.0.0/24", got "${text.slice(0, 80)}"`,
    )
  const network = networkOf(subnet)
  if (network.ip.value !== subnet.ip.value) {
    invalid(`Cannot use "${path}": ${text} has host bits set; the network is ${formatCidr(network)}`)
  }
  // One address is the network, one the gateway, one the broadcast: the reference wants one more for pods.
  if (subnet.prefix > subnet.ip.family.bits - 2) {
    invalid(
      `Cannot use "${path}": the network ${text} is too small to allocate from; it needs a prefix of ${subnet.ip.family.bits - 2} or shorter`,
    )
  }
  return subnet
}

/** An address; Go's programs write "" for none. */
function readIp(keys: Reader, key: string): Ip | undefined {
  const text = keys.string(key) ?? ''
  if (text === '') return undefined
  return (
    parseIp(text) ??
    invalid(`Cannot use "${keys.path(key)}": expected an address, got "${text.slice(0, 80)}"`)
  )
}

function readEnd(keys: Reader, key: string, subnet: Cidr): Ip | undefined {
  const ip = readIp(keys, key)
  if (ip === undefined || contains(subnet, ip)) return ip
  return invalid(
    `Cannot use "${keys.path(key)}": ${formatIp(ip)} is not in the network ${formatCidr(subnet)}`,
  )
}

/** Refuses sets that mix families or share addresses, in one set or between two (`invalid-config`). */
export function refuseOverlaps(sets: readonly RangeSet[]): void {
  for (const set of sets) {
    if (set.some(range => range.start.family !== set[0].start.family)) {
      invalid(
        `Cannot use the range set ${formatSet(set)}: it mixes IPv4 and IPv6; give each family a range set of its own`,
      )
    }
  }
  const ranges = sets.flat()
  ranges.forEach((a, i) => {
    const b = ranges.slice(i + 1).find(other => inRange(a, other.start) || inRange(other, a.start))
    if (b !== undefined)
      invalid(
        `Cannot use the ranges ${formatRange(a)} and ${formatRange(b)}: they overlap; give each address to one range only`,
      )
  })
}
