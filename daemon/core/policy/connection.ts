import type { Connection } from '../../../cni/core/netlink/conntrack.ts'
import { type Protocol, PROTOCOLS } from '../../../cni/core/netlink/field.ts'
import { formatIp, type Ip } from '../../../ipam/core/ip.ts'
import type { Packet } from './evaluate.ts'

/** The node that a connection passes, and its own addresses as text. */
export interface Own {
  readonly node: string
  readonly addresses: ReadonlySet<string>
}

/**
 * The first packet of a connection as the policies met it, after DNAT and before SNAT: the answers tell where it was led
 * to. Everything that has ports has one in them, even where the kernel writes something else there.
 */
export const packetOf = ({ protocol, original, reply }: Connection, own: Own): Packet => ({
  source: original.source,
  destination: reply.source,
  protocol: protocolOf(protocol),
  port: reply.sourcePort ?? 0,
  ...(isOwn(original.source, own) ? { sender: own.node } : {}),
  ...(isOwn(reply.source, own) ? { receiver: own.node } : {}),
})

const protocolOf = (number: number): Protocol | 'other' =>
  (Object.keys(PROTOCOLS) as readonly Protocol[]).find(name => PROTOCOLS[name] === number) ?? 'other'

const isOwn = (ip: Ip, { addresses }: Own): boolean => addresses.has(formatIp(ip))
