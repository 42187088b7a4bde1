import { addressField } from '../../../cni/core/netlink/field.ts'
import {
  addTo,
  type Cidr,
  type Family,
  formatCidr,
  formatIp,
  type Ip,
  lastOf,
  networkOf,
} from '../../../ipam/core/ip.ts'
import { isWithin } from './bisect.ts'
import type { Peer } from './network-policy.ts'
import type { Elements, PortRange, Range } from './rule-set.ts'

type Interval = readonly [first: bigint, last: bigint]

/** The addresses of a family in the IP blocks among these peers, as ranges that do not touch. */
export const blocksOf = (peers: readonly Peer[], family: Family): Range[] =>
  toRanges(
    family,
    peers.flatMap(peer =>
      peer.kind === 'block' && peer.cidr.ip.family === family
        ? subtract(
            toInterval(peer.cidr),
            peer.except.filter(({ ip }) => ip.family === family).map(toInterval),
          )
        : [],
    ),
  )

/** Networks of one family as ranges that do not touch. */
export const rangesOf = (family: Family, cidrs: readonly Cidr[]): Range[] =>
  toRanges(family, cidrs.filter(({ ip }) => ip.family === family).map(toInterval))

const toInterval = (cidr: Cidr): Interval => [networkOf(cidr).ip.value, lastOf(cidr).value]

const toRanges = (family: Family, intervals: readonly Interval[]): Range[] =>
  merge(intervals).map(([first, last]) => ({
    first: { family, value: first },
    last: { family, value: last },
  }))

/** What is left of an interval between these holes, in one sweep: one object may have tens of thousands. */
function subtract([first, last]: Interval, holes: readonly Interval[]): Interval[] {
  const sorted = merge(holes)
  const starts = [first, ...sorted.map(([, to]) => to + 1n)]
  const ends = [...sorted.map(([from]) => from - 1n), last]
  return starts
    .map((start, i): Interval => [start < first ? first : start, ends[i]! > last ? last : ends[i]!])
    .filter(([low, high]) => low <= high)
}

/** Sorted, and joined where they overlap or are neighbours: nft takes no overlapping ones. */
function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = []
  for (const [first, last] of [...intervals].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const before = merged.at(-1)
    if (before === undefined || first > before[1] + 1n) merged.push([first, last])
    else if (last > before[1]) merged.splice(-1, 1, [before[0], last])
  }
  return merged
}

/** The same of ports. */
export const mergePorts = (ranges: readonly PortRange[]): PortRange[] =>
  merge(ranges.map(([first, last]): Interval => [BigInt(first), BigInt(last)])).map(([first, last]) => [
    Number(first),
    Number(last),
  ])

/** Whether a family's every address is in a range. */
export const isWhole = ({ first, last }: Range): boolean =>
  addTo(first, -1n) === undefined && addTo(last, 1n) === undefined

/** A range as nft lists it: an address, a network, or first and last. */
export function formatRange({ first, last }: Range): string {
  const size = last.value - first.value + 1n
  if (size === 1n) return formatIp(first)
  const isNetwork = (size & (size - 1n)) === 0n && first.value % size === 0n
  const hostBits = size.toString(2).length - 1
  return isNetwork
    ? formatCidr({ ip: first, prefix: first.family.bits - hostBits })
    : `${formatIp(first)}-${formatIp(last)}`
}

/** Whether an address lies in one of the ranges, all of its family; they are sorted and do not touch. */
export const inRanges = (ranges: readonly Range[], { value }: Ip): boolean =>
  isWithin(ranges, value, [({ first }) => first.value, ({ last }) => last.value])

/** Ranges as elements of a set. */
export const rangeElements = (ranges: readonly Range[]): Elements =>
  new Map(
    ranges.map(range => [
      formatRange(range),
      { key: [addressField(range.first)], last: addressField(range.last) },
    ]),
  )
