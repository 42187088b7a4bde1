import type { DelCall } from '../cni/spec/plugin.ts'
import { formatIp, type Ip } from './core/ip.ts'
import { removeIndexFolder, removeLegacyFolder } from './edge/index.ts'
import { held } from './edge/held.ts'
import { exclusively } from './edge/lock.ts'
import { remove, type Reservation, stillOwned, type Store } from './edge/store.ts'
import { quietly, storeOf } from './open.ts'

/**
 * DEL: gives an attachment's addresses back. Succeeds when there is none, and when nobody can tell whether there is one: the
 * store may be damaged or gone. Throws `store`, `try-again` when an address is known to be still held, so that the
 * runtime tries again.
 */
export async function del(call: DelCall): Promise<void> {
  giveBack(call, () => {})
}

/** As {@link del}; `before` is told of the addresses while they are still held. When it throws, they stay so. */
export function giveBack(call: DelCall, before: (addresses: readonly Ip[]) => void): void {
  const { attachment, trace } = call
  const store = storeOf(call)
  const found = find(store, call)
  if (found.length > 0) {
    // Two DELs at once (a runtime's, and the daemon's sweep): while one looks away, the other frees the address and
    // an ADD gets it. So one at a time, and each looks again.
    exclusively(store.folder, () => {
      const own = stillOwned(store, attachment, found)
      before(own.map(({ ip }) => ip))
      for (const { path, ip } of own) {
        remove(path)
        trace.step(`# give back ${formatIp(ip)} in ${store.folder}`)
      }
    })
  }
  // After the addresses: what a crash leaves in the index says nothing about who holds what.
  quietly(store, () => removeIndexFolder(store, attachment))
  if (found.some(isLegacy)) quietly(store, () => removeLegacyFolder(store, attachment.containerId))
}

const isLegacy = ({ owner }: Reservation): boolean => owner.kind === 'held' && owner.ifname === undefined

function find(store: Store, { attachment }: DelCall): readonly Reservation[] {
  let found: readonly Reservation[] = []
  quietly(store, () => {
    found = held(store, attachment)
  })
  return found
}
