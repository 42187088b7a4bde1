import type { Connection } from '../../../cni/core/netlink/conntrack.ts'
import { addKeys } from '../../../cni/core/netlink/element.ts'
import { addressField, encodeFields, portField, PROTOCOLS } from '../../../cni/core/netlink/field.ts'
import type { Request } from '../../../cni/core/netlink/message.ts'
import { FAMILIES } from '../../../ipam/core/ip.ts'
import { echoesSet } from './base.ts'

/** Keeps answers to connections that are to be cut from beginning others: those of UDP, which has no beginnings. */
export const echoRequests = (cut: readonly Connection[]): Request[] =>
  FAMILIES.flatMap(family =>
    addKeys(echoesSet(family), cut.filter(each => each.family === family).flatMap(wayOf)),
  )

/** The way of a connection's answers, as they are sent. */
function wayOf({ protocol, reply }: Connection): Uint8Array[] {
  const { source, sourcePort, destination, destinationPort } = reply
  if (protocol !== PROTOCOLS.udp || sourcePort === undefined || destinationPort === undefined) return []
  const fields = [
    addressField(source),
    portField(sourcePort),
    addressField(destination),
    portField(destinationPort),
  ]
  return [encodeFields(fields)]
}
