import { listTable, loadRules } from '../../cni/edge/nft.ts'
import type { World } from '../../cni/spec/world.ts'
import type { Present } from '../core/masquerade.ts'
import { parsePresent } from '../core/masquerade-present.ts'

/** Looks at the daemon's part of the table: `nft -j list table inet podwire`. */
export async function observeMasquerade(world: Pick<World, 'env'>): Promise<Present> {
  return parsePresent(await listTable(world))
}

/** Loads a script as one transaction, `nft -f -`; an empty one starts no program. */
export async function applyMasquerade(world: Pick<World, 'env'>, script: string): Promise<void> {
  if (script !== '') await loadRules(world, script)
}
