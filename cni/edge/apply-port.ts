import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { setForwarding } from '../core/netlink/port.ts'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import { isErrno } from './netlink.ts'
import type { Site } from './site.ts'

/** The kernel notices a veth's carrier in a worker of its own, at once or, in the worst case, a second later. */
const CARRIER_MS = 3_000
const POLL_MS = 1
/** Mostly it is a matter of microseconds, and a timer's shortest time is a millisecond. */
const TURNS = 20

/**
 * Lets a bridge port forward. Without this the port starts when the kernel's link watch comes round to it, and the
 * container's first packets are lost; the kernel refuses (ENETDOWN) until it has seen the carrier.
 */
export async function forward(host: Site, name: string, world: World): Promise<void> {
  const request = setForwarding(host.index(name))
  const deadline = world.now() + CARRIER_MS
  for (let turn = 0; ; turn += 1, await (turn < TURNS ? nextTurn() : sleep(POLL_MS))) {
    try {
      return void host.netlink.request(request)
    } catch (error) {
      // With the spanning tree protocol on, the bridge decides itself when a port forwards.
      if (isErrno(error, 'EBUSY')) return
      if (!isErrno(error, 'ENETDOWN')) throw error
      if (world.now() > deadline) {
        throw new CniError(
          'try-again',
          `Cannot start the bridge port "${name}": it has no carrier after ${CARRIER_MS / 1000} s; try again`,
          { cause: error },
        )
      }
    }
  }
}
