import { messageOf } from '../cni/spec/error.ts'
import type { Call } from '../cni/spec/plugin.ts'
import { parseDataDir } from './core/config.ts'
import { openStore, type Store } from './edge/store.ts'

/** The store of the network that a call is about. Throws `invalid-config`. */
export const storeOf = ({ config, world }: Pick<Call, 'config' | 'world'>): Store =>
  openStore(parseDataDir(config), config.name, line => world.stderr(`podwire-ipam: ${line}`))

/** Runs what must not fail the call that it is part of: its error goes to people. */
export function quietly(store: Store, run: () => void): void {
  try {
    run()
  } catch (cause) {
    store.warn(messageOf(cause))
  }
}
