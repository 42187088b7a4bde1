import { CniError } from '../cni/spec/error.ts'
import type { AttachmentCall, DelCall } from '../cni/spec/plugin.ts'
import { parseIpamConfig } from './core/config.ts'
import type { Ip } from './core/ip.ts'
import { formatSet, rangeOf } from './core/range.ts'
import { held } from './edge/held.ts'
import { storeOf } from './open.ts'

/** The addresses that an attachment holds, in no order. Throws `store`, `invalid-config`. */
export const heldBy = (call: DelCall): Ip[] => held(storeOf(call), call.attachment).map(({ ip }) => ip)

/** CHECK: the attachment holds an address of each range set. Throws `check-failed`, `store`, `invalid-config`. */
export async function check(call: AttachmentCall): Promise<void> {
  const { containerId, ifname } = call.attachment
  const { sets } = parseIpamConfig(call.config, call.env.args)
  const ips = heldBy(call)
  const missing = sets.find(set => !ips.some(ip => rangeOf(set, ip) !== undefined))
  if (missing === undefined && ips.length > 0) return
  const what =
    missing === undefined || ips.length === 0 ? 'no address' : `no address of ${formatSet(missing)}`
  throw new CniError(
    'check-failed',
    `Cannot confirm the addresses of ${containerId}/${ifname}: it holds ${what} in network "${call.config.name}"; recreate the container`,
  )
}
