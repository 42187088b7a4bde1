import { formatIp } from '../../ipam/core/ip.ts'
import { dumpAddresses, parseAddress } from '../core/netlink/address.ts'
import { deleteFlow, dumpUdpFlows, type Flow, parseUdpFlow } from '../core/netlink/conntrack.ts'
import type { UdpPort } from '../core/host-ports.ts'
import { dump, unlessAbsent } from './netfilter.ts'
import { NetlinkError } from './netlink.ts'
import { Site } from './site.ts'

/**
 * Makes the kernel forget the UDP flows to ports of the node, so that their next packets are led where the ports lead
 * now. UDP has no end: a client that keeps sending would be led to the former pod for ever. Flows to other machines'
 * ports of the same number, and to Services, are left alone. What cannot be forgotten ends by itself some minutes after
 * its last packet, so a refusal is no failure.
 */
export function forgetFlows(ports: readonly UdpPort[]): void {
  if (ports.length === 0) return
  try {
    const own = addressesOfNode()
    for (const flow of flowsTo(ports).filter(({ destination }) => own.has(formatIp(destination))))
      unlessAbsent(netlink => netlink.request(deleteFlow(flow)))
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error
  }
}

/** The flows to these ports of whatever machine. */
const flowsTo = (ports: readonly UdpPort[]): Flow[] =>
  [...Map.groupBy(ports, ({ family }) => family)].flatMap(([family, own]) => {
    const numbers = new Set(own.map(({ port }) => port))
    // Of one port the kernel itself chooses the flows: there may be a million others.
    const request = dumpUdpFlows(family, numbers.size === 1 ? own[0]?.port : undefined)
    return dump(request)
      .flatMap(({ body }) => parseUdpFlow(body) ?? [])
      .filter(flow => numbers.has(flow.port) && own.some(port => isTo(port, flow)))
  })

const isTo = ({ port, hostIp }: UdpPort, flow: Flow): boolean =>
  port === flow.port && (hostIp === undefined || hostIp.value === flow.destination.value)

function addressesOfNode(): Set<string> {
  using host = new Site()
  const addresses = host.netlink.dump(dumpAddresses(0)).flatMap(({ body }) => parseAddress(body) ?? [])
  return new Set(addresses.map(({ cidr }) => formatIp(cidr.ip)))
}
