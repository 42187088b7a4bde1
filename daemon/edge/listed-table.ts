import { show } from '../../cni/edge/nft.ts'
import type { World } from '../../cni/spec/world.ts'
import type { Table } from '../core/policy/explain/walk.ts'

/** Looks at our table: `nft list chain inet podwire NAME`, `nft get element inet podwire SET { KEY }`. */
export const listedTable = (world: Pick<World, 'env'>): Table => ({
  chain: async name => {
    const list = ['list', 'chain', 'inet', 'podwire', name]
    const text = await show(world, list)
    const json = await show(world, ['-j', ...list])
    return text === undefined || json === undefined ? undefined : { text, json: JSON.parse(json) as unknown }
  },
  element: async (set, key) => {
    const text = await show(world, ['get', 'element', 'inet', 'podwire', set, `{ ${key} }`])
    return /elements = \{ (.*) \}/.exec(text ?? '')?.[1]
  },
})
