import { joinErrors } from '../cni/spec/error.ts'
import type { Attachment } from '../cni/spec/environment.ts'
import type { GcCall } from '../cni/spec/plugin.ts'
import { formatIp, type Ip } from './core/ip.ts'
import { formatReservation, type Owner } from './core/reservation.ts'
import { removeOthers } from './edge/index.ts'
import { remove, scan } from './edge/store.ts'
import { storeOf } from './open.ts'

/**
 * GC: gives back every address of the network that no valid attachment holds; nothing when the runtime did not
 * say which are valid. Goes on after errors and throws them all at the end (`store`).
 */
export async function gc(call: GcCall): Promise<void> {
  collect(call, () => {})
}

/** As {@link gc}; `before` is told of the addresses while they are still held. When it throws, they stay so. */
export function collect(call: GcCall, before: (addresses: readonly Ip[]) => void): void {
  const { valid, trace } = call
  if (valid === undefined) return
  const store = storeOf(call)
  const failures: unknown[] = []
  const tried = (run: () => void): void => {
    try {
      run()
    } catch (cause) {
      failures.push(cause)
    }
  }
  const isKept = keeper(valid)
  tried(() => {
    const stale = scan(store, 'all').filter(({ owner }) => !isKept(owner))
    before(stale.map(({ ip }) => ip))
    for (const { path, ip } of stale) {
      tried(() => remove(path))
      trace.step(`# give back ${formatIp(ip)} in ${store.folder}`)
    }
  })
  tried(() => removeOthers(store, valid))
  const failure = joinErrors(failures)
  if (failure !== undefined) throw failure
}

/** The attachments that hold addresses of the network, as the store says it; files of before 0.8 name only half. Throws `store`. */
export const holders = (call: GcCall): Readonly<Record<keyof Attachment, string>>[] =>
  scan(storeOf(call), 'all').flatMap(({ owner }) =>
    owner.kind === 'held' && owner.ifname !== undefined
      ? [{ containerId: owner.containerId, ifname: owner.ifname }]
      : [],
  )

/** An empty file is kept for nobody: the runtime holds off ADD during a GC, so no writer is about to fill it. */
function keeper(valid: readonly Attachment[]): (owner: Owner) => boolean {
  const exact = new Set(valid.map(formatReservation))
  const containers = new Set<string>(valid.map(({ containerId }) => containerId))
  return owner =>
    owner.kind === 'held' &&
    (owner.ifname === undefined ? containers.has(owner.containerId) : exact.has(formatReservation(owner)))
}
