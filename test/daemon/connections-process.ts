import { dumpConnections, parseConnection } from '../../cni/core/netlink/conntrack.ts'
import { dump } from '../../cni/edge/netfilter.ts'
import { formatIp } from '../../ipam/core/ip.ts'

/* Prints the connections that the kernel knows in this namespace, as FROM > TO, where TO is who answers. */

for (const { body } of dump(dumpConnections())) {
  const connection = parseConnection(body)
  if (connection === undefined) continue
  console.log(`${formatIp(connection.original.source)} > ${formatIp(connection.reply.source)}`)
}
