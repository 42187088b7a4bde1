import { CniError, messageOf } from '../cni/spec/error.ts'
import type { Call } from '../cni/spec/plugin.ts'
import { allocate } from './core/allocate.ts'
import { parseIpamConfig } from './core/config.ts'
import type { Ip } from './core/ip.ts'
import { formatSet } from './core/range.ts'
import { readCursor } from './edge/cursor.ts'
import { isTaken, probe, taken } from './edge/store.ts'
import { storeOf } from './open.ts'

/** STATUS: an ADD would find an address in each range set and could write it down. Throws `not-available`, `invalid-config`. */
export async function status(call: Call): Promise<void> {
  const { sets, exclude } = parseIpamConfig(call.config, new Map())
  const refuse = (problem: string, cause?: unknown): never => {
    throw new CniError(
      'not-available',
      `Cannot reserve addresses in network "${call.config.name}": ${problem}`,
      { cause },
    )
  }
  if (sets.length === 0) refuse('it has no range; set "ipam.ranges", such as [[{"subnet": "10.1.0.0/24"}]]')
  const store = storeOf(call)
  try {
    // What an ADD makes: its folder in the index, a file and a link for each set (tmpfs counts links), a cursor's draft.
    probe(store, 2 * sets.length + 2)
  } catch (cause) {
    refuse(messageOf(cause), cause)
  }
  sets.forEach((set, i) => {
    const keeper = {
      claim: (ip: Ip) => !isTaken(store, ip),
      taken: () => taken(store),
    }
    if (allocate(set, readCursor(store, i), exclude, keeper) !== undefined) return
    refuse(
      `no IP addresses available in range set: ${formatSet(set)}; remove containers, widen "ipam.ranges", or free with GC what no container holds`,
    )
  })
}
