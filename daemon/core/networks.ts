import { type Cidr, contains } from '../../ipam/core/ip.ts'

/** Networks by their text ({@link formatCidr}), so that finding one costs the same however many there are. */
export type Networks = ReadonlyMap<string, Cidr>

/**
 * The networks, all of one family and their host bits cleared, that lie in no other of them; an nft interval set takes
 * no others. Of two networks one contains the other or they share nothing, so in the order of their first addresses,
 * wider before narrower, only the last one kept can contain the next.
 */
export function outermost(networks: Iterable<readonly [text: string, cidr: Cidr]>): Networks {
  const sorted = [...networks].sort(([, a], [, b]) => order(a, b))
  const kept = new Map<string, Cidr>()
  let last: Cidr | undefined
  for (const [text, cidr] of sorted) {
    if (last !== undefined && contains(last, cidr.ip)) continue
    kept.set(text, cidr)
    last = cidr
  }
  return kept
}

function order(a: Cidr, b: Cidr): number {
  if (a.ip.value === b.ip.value) return a.prefix - b.prefix
  return a.ip.value < b.ip.value ? -1 : 1
}
