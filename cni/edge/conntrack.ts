import { formatIp } from '../../ipam/core/ip.ts'
import {
  type Connection,
  deleteConnection,
  dumpConnections,
  parseConnection,
} from '../core/netlink/conntrack.ts'
import { PROTOCOLS } from '../core/netlink/field.ts'
import type { UdpPort } from '../core/host-ports.ts'
import { dump, unlessAbsent } from './netfilter.ts'
import { NetlinkError } from './netlink.ts'
import { ownAddresses } from './own-addresses.ts'

/**
 * Makes the kernel forget the UDP flows to ports of the node, so that their next packets are led where the ports lead
 * now. UDP has no end: a client that keeps sending would be led to the former pod for ever. Flows to other machines'
 * ports of the same number, and to Services, are left alone. What cannot be forgotten ends by itself some minutes after
 * its last packet, so a refusal is no failure.
 */
export function forgetFlows(ports: readonly UdpPort[]): void {
  if (ports.length === 0) return
  try {
    const own = ownAddresses()
    for (const flow of flowsTo(ports).filter(({ original }) => own.has(formatIp(original.destination))))
      unlessAbsent(netlink => netlink.request(deleteConnection(flow)))
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
  }
}

/** The flows to these ports of whatever machine. */
const flowsTo = (ports: readonly UdpPort[]): Connection[] =>
  [...Map.groupBy(ports, ({ family }) => family)].flatMap(([family, own]) => {
    const [first, ...others] = new Set(own.map(({ port }) => port))
    // Of one port the kernel itself chooses the flows: there may be a million others.
    const only = others.length === 0 ? { originalDestinationPort: first! } : {}
    return dump(dumpConnections(family, { protocol: PROTOCOLS.udp, ...only }))
      .flatMap(({ body }) => parseConnection(body) ?? [])
      .filter(flow => own.some(port => isTo(port, flow)))
  })

const isTo = ({ port, hostIp }: UdpPort, { protocol, original }: Connection): boolean =>
  protocol === PROTOCOLS.udp &&
  port === original.destinationPort &&
  (hostIp === undefined || hostIp.value === original.destination.value)
