import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type Connection,
  deleteConnection,
  getAnswered,
  parseConnection,
} from '../../cni/core/netlink/conntrack.ts'
import { removeConnections } from '../../cni/edge/connections.ts'
import { unlessAbsent } from '../../cni/edge/netfilter.ts'
import { parseIp } from '../../ipam/core/ip.ts'
import { answersOf, beginningOf } from '../core/policy/echo.ts'
import type { Direction } from '../core/policy/network-policy.ts'

/**
 * Cuts the connections of pods, by their addresses, that are not allowed any more: those to the pods for ingress, those
 * that they have begun for egress. Answers how many. Replies of a connection that is cut meet the policies like any
 * other packet.
 */
export async function cutConnections(
  { ingress, egress }: Record<Direction, ReadonlySet<string>>,
  isAllowed: (connection: Connection) => boolean,
): Promise<number> {
  const [reached, begunBy] = [ingress, egress].map(texts => [...texts].flatMap(text => parseIp(text) ?? []))
  return removeConnections(begunBy!, reached!, connection => !isAllowed(connection))
}

/** After so many it is the others' turn. */
const AT_ONCE = 200

/**
 * Makes the kernel forget connections that were begun by answers to these, which were cut; answers how many. It finds
 * each by its addresses: how many others there are does not matter.
 */
export async function forgetEchoes(cut: readonly Connection[]): Promise<number> {
  let forgotten = 0
  for (const [i, connection] of cut.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await nextTurn()
    const found = unlessAbsent(netlink => netlink.find(getAnswered(connection), 'ENOENT'))
    const echo = found && parseConnection(found.body)
    if (echo === undefined || beginningOf(echo) !== answersOf(connection)) continue
    unlessAbsent(netlink => netlink.request(deleteConnection(echo)))
    forgotten += 1
  }
  return forgotten
}
