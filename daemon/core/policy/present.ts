import { at, list, text } from './json.ts'
import { PREFIX } from './rule-set.ts'
import type { Present } from './script.ts'

/** What of ours is in the table, as `nft -j -t list table inet podwire` shows it; undefined stands for no table. */
export function parsePresent(listing: unknown): Present {
  const names = (kind: string): string[] =>
    list(at(listing, 'nftables'))
      .map(item => text(at(at(item, kind), 'name')))
      .filter(name => name.startsWith(PREFIX))
  return { chains: names('chain'), maps: names('map'), sets: names('set') }
}
