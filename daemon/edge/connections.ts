import type { Connection } from '../../cni/core/netlink/conntrack.ts'
import { removeConnections } from '../../cni/edge/connections.ts'
import { isErrno } from '../../cni/edge/netlink.ts'
import { changeTable } from '../../cni/edge/table.ts'
import { parseIp } from '../../ipam/core/ip.ts'
import { echoRequests } from '../core/policy/echo.ts'
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
  return removeConnections(begunBy!, reached!, {
    isChosen: connection => !isAllowed(connection),
    before: stopEchoes,
  })
}

/** Where somebody has taken the table away, they are cut even so. */
function stopEchoes(cut: readonly Connection[]): void {
  try {
    changeTable(echoRequests(cut))
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
