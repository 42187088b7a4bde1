import { bytesOf, FAMILIES, type Family, fromBytes, type Ip } from '../../../ipam/core/ip.ts'
import { type Attr, locate, parseAttrs, u32, u8, viewOf } from './attr.ts'
import { FLAG, type Request } from './message.ts'
import { be16, header, readBig, SUBSYSTEM } from './nfnetlink.ts'

/*
 * Connection tracking (include/uapi/linux/netfilter/nfnetlink_conntrack.h): the connections that the kernel remembers,
 * flows of UDP among them, each with the translation of its first packet. For all later packets no nat rule is asked any
 * more, and no policy.
 */

/** All families (include/linux/socket.h). */
const AF_UNSPEC = 0
const GET = 1
const DELETE = 2
const CTA = { original: 1, reply: 2, id: 12, zone: 18, filter: 25 } as const
const TUPLE = { ip: 1, protocol: 2 } as const
const TUPLE_IP = { 4: { source: 1, destination: 2 }, 6: { source: 3, destination: 4 } } as const
const TUPLE_PROTOCOL = { number: 1, source: 2, destination: 3 } as const
const FILTER = { original: 1, reply: 2 } as const
/** Which parts of a tuple a dump goes by (net/netfilter/nf_internals.h, CTA_FILTER_F_*). */
const GOES_BY = { source: 1 << 0, number: 1 << 3, destinationPort: 1 << 5 } as const

/** Who sends to whom, in one direction; ports are undefined where the protocol has none. */
export interface Ends {
  readonly source: Ip
  readonly destination: Ip
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
}

/** A connection as its first packet was, and as an answer to it is: from where the packet was led, to where it seems to be from. */
export interface Connection {
  readonly family: Family
  /** By its number in an IP header. */
  readonly protocol: number
  readonly original: Ends
  readonly reply: Ends
  /** What names this connection and no later one of the same addresses. */
  readonly identity: readonly Attr[]
}

/** What the connections of a dump have in common; everything together. */
export interface Choice {
  readonly originalSource?: Ip
  readonly replySource?: Ip
  readonly protocol?: number
  /** Where the first packet went to, before any translation; the kernel wants to know the protocol too. */
  readonly originalDestinationPort?: number
}

/**
 * `conntrack -L -f FAMILY [--orig-src IP] [--reply-src IP] [-p PROTOCOL [--orig-port-dst PORT]]`. The kernel walks through
 * its whole table for it, which takes some milliseconds. Before 5.8 it cannot choose: it answers with all of the family.
 * Without a family it answers with both.
 */
export function dumpConnections(family?: Family, choice: Choice = {}): Request {
  const { originalSource, replySource, protocol, originalDestinationPort: port } = choice
  const sides = [
    sideOf('original', sourcePart(originalSource), protocolPart(protocol, port)),
    sideOf('reply', sourcePart(replySource)),
  ].filter(({ tuple }) => tuple.length > 0)
  const filter = sides.map(({ side, flags }): Attr => [FILTER[side], u32(flags)])
  return {
    type: (SUBSYSTEM.conntrack << 8) | GET,
    flags: FLAG.dump,
    header: header(family?.af ?? AF_UNSPEC),
    attrs: [
      ...sides.map(({ side, tuple }): Attr => [CTA[side], tuple]),
      ...(filter.length === 0 ? [] : ([[CTA.filter, filter]] as const)),
    ],
  }
}

/** A part of a tuple to go by, and the flags that say so. */
interface Part {
  readonly attr: Attr
  readonly flags: number
}

const sideOf = (side: 'original' | 'reply', ...parts: readonly (Part | undefined)[]) => {
  const given = parts.filter(part => part !== undefined)
  return {
    side,
    tuple: given.map(({ attr }) => attr),
    flags: given.reduce((flags, part) => flags | part.flags, 0),
  }
}

const sourcePart = (ip: Ip | undefined): Part | undefined =>
  ip && {
    attr: [TUPLE.ip, [[TUPLE_IP[ip.family.version].source, bytesOf(ip)]]],
    flags: GOES_BY.source,
  }

function protocolPart(protocol: number | undefined, port: number | undefined): Part | undefined {
  if (protocol === undefined) return undefined
  const number: Attr = [TUPLE_PROTOCOL.number, u8(protocol)]
  if (port === undefined) return { attr: [TUPLE.protocol, [number]], flags: GOES_BY.number }
  const destination: Attr = [TUPLE_PROTOCOL.destination, be16(port)]
  return {
    attr: [TUPLE.protocol, [number, destination]],
    flags: GOES_BY.number | GOES_BY.destinationPort,
  }
}

/** The connection in one message of a dump; undefined for one of another family than IP. */
export function parseConnection(body: Uint8Array): Connection | undefined {
  const attrs = parseAttrs(body.subarray(4))
  const family = FAMILIES.find(({ af }) => af === body[0])
  const tuple = nested(attrs, CTA.original)
  const original = family && parseEnds(family, tuple)
  const reply = family && parseEnds(family, nested(attrs, CTA.reply))
  const protocol = readBig(nested(tuple, TUPLE.protocol).get(TUPLE_PROTOCOL.number))
  if (original === undefined || reply === undefined || protocol === undefined) return undefined
  const identity = [CTA.original, CTA.zone, CTA.id].flatMap((type): Attr[] => {
    const payload = attrs.get(type)
    return payload === undefined ? [] : [[type, payload]]
  })
  return { family: original.source.family, protocol, original, reply, identity }
}

/**
 * Whether a listed connection may have been begun or be answered by one of some addresses, told by their last four bytes:
 * {@link tailOf}. A tenth of the time that it takes to read all of it.
 */
export function mayBeOf(
  body: Uint8Array,
  begunBy: ReadonlySet<number>,
  answeredBy: ReadonlySet<number>,
): boolean {
  const view = viewOf(body)
  const isFrom = (direction: number, tails: ReadonlySet<number>): boolean => {
    const tuple = locate(view, [4, body.length], direction)
    const ip = tuple && locate(view, tuple, TUPLE.ip)
    const source = ip && (locate(view, ip, TUPLE_IP[4].source) ?? locate(view, ip, TUPLE_IP[6].source))
    return source !== undefined && tails.has(view.getUint32(source[1] - 4))
  }
  return isFrom(CTA.original, begunBy) || isFrom(CTA.reply, answeredBy)
}

/** The last four bytes of an address as a number. */
export const tailOf = ({ value }: Ip): number => Number(BigInt.asUintN(32, value))

function parseEnds(family: Family, tuple: ReadonlyMap<number, Uint8Array>): Ends | undefined {
  const [ip, protocol] = [nested(tuple, TUPLE.ip), nested(tuple, TUPLE.protocol)]
  const types = TUPLE_IP[family.version]
  const [source, destination] = [ip.get(types.source), ip.get(types.destination)]
  if (source === undefined || destination === undefined) return undefined
  return {
    source: fromBytes(family, source),
    destination: fromBytes(family, destination),
    sourcePort: readBig(protocol.get(TUPLE_PROTOCOL.source)),
    destinationPort: readBig(protocol.get(TUPLE_PROTOCOL.destination)),
  }
}

const nested = (attrs: ReadonlyMap<number, Uint8Array>, type: number): Map<number, Uint8Array> =>
  parseAttrs(attrs.get(type) ?? new Uint8Array())

/** `conntrack -D` of one connection; fails with ENOENT when it is over. */
export const deleteConnection = ({ family, identity }: Connection): Request => ({
  type: (SUBSYSTEM.conntrack << 8) | DELETE,
  flags: FLAG.ack,
  header: header(family.af),
  attrs: identity,
})
