import type { Connection, Ends } from '../../../cni/core/netlink/conntrack.ts'
import { formatIp } from '../../../ipam/core/ip.ts'

/** What names a packet's way: protocol, addresses and ports. */
const wayOf = (protocol: number, { source, destination, sourcePort, destinationPort }: Ends): string =>
  [protocol, formatIp(source), sourcePort, formatIp(destination), destinationPort].join(' ')

/** The way of a connection's answers, as they are sent. */
export const answersOf = ({ protocol, reply }: Connection): string => wayOf(protocol, reply)

/** The way of a connection's first packet. An answer of one that is forgotten begins one that goes its way. */
export const beginningOf = ({ protocol, original }: Connection): string => wayOf(protocol, original)
