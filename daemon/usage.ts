import { parseNetworkConfig } from '../cni/spec/config.ts'
import type { JsonObject } from '../cni/spec/read.ts'
import type { World } from '../cni/spec/world.ts'
import { parseIpamConfig } from '../ipam/core/config.ts'
import { taken } from '../ipam/edge/store.ts'
import { storeOf } from '../ipam/open.ts'
import { type AddressUsage, usageOf } from './core/usage.ts'

/**
 * How many of this node's addresses are held and free, by family, as the store says now; it lists one folder and reads
 * no file. `config` is the plugin's, as it stands in the conflist. Throws `store`, `invalid-config`.
 */
export function addressUsage(config: JsonObject, world: World): AddressUsage[] {
  const network = parseNetworkConfig(config)
  const { sets, exclude } = parseIpamConfig(network, new Map())
  return usageOf(sets, exclude, taken(storeOf({ config: network, world })))
}
