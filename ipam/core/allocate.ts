import { type Cidr, contains, formatIp, type Ip, lastOf, sameIp } from './ip.ts'
import { inRange, type Range, type RangeSet } from './range.ts'

/** An address that may be given out, with the range that it comes from. */
export interface Candidate {
  readonly ip: Ip
  readonly range: Range
}

/** What allocation asks of whoever keeps the addresses. */
export interface Keeper {
  /** Tries to get hold of an address; false when somebody else has it. */
  claim(ip: Ip): boolean
  /** The text of every address that is held now. Costly: it reads the whole store. */
  taken(): ReadonlySet<string>
}

/** So many held addresses in a row are asked for one by one, before the whole store is read once. */
const PATIENCE = 256

/**
 * Claims the first address of a set that is free, going round from the one after `last`; undefined when none is left.
 * Whatever the number of addresses held, at most {@link PATIENCE} claims fail before the store is read; of those after
 * it only the ones lost to a concurrent call.
 */
export function allocate(
  set: RangeSet,
  last: Ip | undefined,
  exclude: readonly Cidr[],
  keeper: Keeper,
): Candidate | undefined {
  let failed = 0
  let taken: ReadonlySet<string> | undefined
  for (const candidate of candidates(set, last, exclude)) {
    if (taken?.has(formatIp(candidate.ip))) continue
    if (keeper.claim(candidate.ip)) return candidate
    failed += 1
    if (failed === PATIENCE) taken = keeper.taken()
  }
  return undefined
}

/**
 * Every address of a set that may be given out, each once: round robin, so that an address given back rests as long as
 * possible. Starts after `last`, goes round the set and ends with `last` itself; starts at the beginning when
 * `last` is not of this set.
 */
export function* candidates(
  set: RangeSet,
  last: Ip | undefined,
  exclude: readonly Cidr[],
): Generator<Candidate> {
  for (const { range, from, to } of roundTrip(set, last)) {
    for (let value = from; value <= to; value += 1n) {
      const ip: Ip = { family: range.start.family, value }
      const excluded = exclude.find(cidr => contains(cidr, ip))
      // Jumps over the whole of it: an excluded /65 has more addresses than anybody can count through.
      if (excluded !== undefined) value = lastOf(excluded).value
      else if (!set.some(other => sameIp(other.gateway, ip))) yield { ip, range }
    }
  }
}

interface Stretch {
  readonly range: Range
  readonly from: bigint
  readonly to: bigint
}

function roundTrip(set: RangeSet, last: Ip | undefined): Stretch[] {
  const whole = (range: Range): Stretch => ({ range, from: range.start.value, to: range.end.value })
  const at = last === undefined ? -1 : set.findIndex(range => inRange(range, last))
  const range = set[at]
  if (last === undefined || range === undefined) return set.map(whole)
  return [
    { range, from: last.value + 1n, to: range.end.value },
    ...set.slice(at + 1).map(whole),
    ...set.slice(0, at).map(whole),
    { range, from: range.start.value, to: last.value },
  ]
}
