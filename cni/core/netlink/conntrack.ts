import { FAMILIES, type Family, fromBytes, type Ip } from '../../../ipam/core/ip.ts'
import { type Attr, parseAttrs, u32, u8 } from './attr.ts'
import { PROTOCOLS } from './field.ts'
import { FLAG, type Request } from './message.ts'
import { be16, header, readBig, SUBSYSTEM } from './nfnetlink.ts'

/*
 * Connection tracking (include/uapi/linux/netfilter/nfnetlink_conntrack.h): the UDP flows that the kernel remembers, and
 * with each the translation of its first packet. For all later packets no nat rule is asked any more.
 */

const GET = 1
const DELETE = 2
const CTA = { original: 1, id: 12, zone: 18, filter: 25 } as const
const TUPLE = { ip: 1, protocol: 2 } as const
const TUPLE_IP = { 4: { destination: 2 }, 6: { destination: 4 } } as const
const TUPLE_PROTOCOL = { number: 1, destination: 3 } as const
const FILTER_ORIGINAL = 1
/** Which parts of a tuple a dump goes by (net/netfilter/nf_internals.h, CTA_FILTER_F_*). */
const FILTER = { number: 1 << 3, destinationPort: 1 << 5 } as const

/** A flow as its first packet was. */
export interface Flow {
  readonly destination: Ip
  readonly port: number
  /** What names this flow and no later one of the same addresses. */
  readonly identity: readonly Attr[]
}

/**
 * `conntrack -L -f FAMILY -p udp [--orig-port-dst PORT]`. The kernel walks through its whole table for it, which takes
 * some milliseconds. Before 5.8 it cannot choose: it answers with all flows of the family.
 */
export function dumpUdpFlows(family: Family, port?: number): Request {
  const number: Attr = [TUPLE_PROTOCOL.number, u8(PROTOCOLS.udp)]
  const protocol: Attr[] = port === undefined ? [number] : [number, [TUPLE_PROTOCOL.destination, be16(port)]]
  const chosen = port === undefined ? FILTER.number : FILTER.number | FILTER.destinationPort
  return {
    type: (SUBSYSTEM.conntrack << 8) | GET,
    flags: FLAG.dump,
    header: header(family.af),
    attrs: [
      [CTA.original, [[TUPLE.protocol, protocol]]],
      [CTA.filter, [[FILTER_ORIGINAL, u32(chosen)]]],
    ],
  }
}

/** The UDP flow in one message of a dump; undefined for one of another protocol. */
export function parseUdpFlow(body: Uint8Array): Flow | undefined {
  const attrs = parseAttrs(body.subarray(4))
  const family = FAMILIES.find(({ af }) => af === body[0])
  const original = nested(attrs, CTA.original)
  const protocol = nested(original, TUPLE.protocol)
  const port = readBig(protocol.get(TUPLE_PROTOCOL.destination))
  const bytes = family && nested(original, TUPLE.ip).get(TUPLE_IP[family.version].destination)
  if (family === undefined || bytes === undefined || port === undefined) return undefined
  if (readBig(protocol.get(TUPLE_PROTOCOL.number)) !== PROTOCOLS.udp) return undefined
  const identity = [CTA.original, CTA.zone, CTA.id].flatMap((type): Attr[] => {
    const payload = attrs.get(type)
    return payload === undefined ? [] : [[type, payload]]
  })
  return { destination: fromBytes(family, bytes), port, identity }
}

const nested = (attrs: ReadonlyMap<number, Uint8Array>, type: number): Map<number, Uint8Array> =>
  parseAttrs(attrs.get(type) ?? new Uint8Array())

/** `conntrack -D` of one flow; fails with ENOENT when it is over. */
export const deleteFlow = ({ destination, identity }: Flow): Request => ({
  type: (SUBSYSTEM.conntrack << 8) | DELETE,
  flags: FLAG.ack,
  header: header(destination.family.af),
  attrs: identity,
})
