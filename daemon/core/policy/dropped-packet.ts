import { viewOf } from '../../../cni/core/netlink/attr.ts'
import { PROTOCOLS } from '../../../cni/core/netlink/field.ts'
import type { LoggedPacket } from '../../../cni/core/netlink/nflog.ts'
import { fromBytes, type Ip, IPV4, IPV6 } from '../../../ipam/core/ip.ts'
import { type Direction, DIRECTIONS } from './network-policy.ts'

/** What a packet's upper header says, as far as it is at hand: not of later fragments, nor behind the bytes that were told. */
interface Upper {
  /** With the other port, only where the protocol has any. */
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** Of ICMP and ICMPv6. */
  readonly icmpType?: number
  /** Whether it is of a protocol with connections, and does not begin one: what policy-midstream drops. */
  readonly isMidstream?: boolean
}

/** A packet that was dropped because a pod is isolated in a direction. */
export interface DroppedPacket extends Upper {
  readonly direction: Direction
  readonly source: Ip
  readonly destination: Ip
  /** By its number in an IP header. */
  readonly protocol: number
}

/** What the rules have told of a packet that they drop; undefined for what is no packet of theirs. */
export function parseDropped({ prefix, payload }: LoggedPacket): DroppedPacket | undefined {
  const direction = DIRECTIONS.find(each => each === prefix)
  const header = payload[0] === undefined ? undefined : HEADERS[payload[0] >> 4]?.(payload)
  if (direction === undefined || header === undefined) return undefined
  const { source, destination, protocol, rest } = header
  return { direction, source, destination, protocol, ...parseUpper(protocol, rest) }
}

interface Header {
  readonly source: Ip
  readonly destination: Ip
  /** What is in `rest`, which is empty in a later fragment. */
  readonly protocol: number
  readonly rest: Uint8Array
}

const NOTHING = new Uint8Array()

/** RFC 791, 3.1. */
function parseV4(packet: Uint8Array): Header | undefined {
  const words = packet[0]! & 0x0f
  if (packet.length < 20 || words < 5) return undefined
  const isLaterFragment = (viewOf(packet).getUint16(6) & 0x1fff) !== 0
  return {
    source: fromBytes(IPV4, packet.subarray(12, 16)),
    destination: fromBytes(IPV4, packet.subarray(16, 20)),
    protocol: packet[9]!,
    rest: isLaterFragment ? NOTHING : packet.subarray(4 * words),
  }
}

/** RFC 8200, 3. */
function parseV6(packet: Uint8Array): Header | undefined {
  if (packet.length < 40) return undefined
  return {
    source: fromBytes(IPV6, packet.subarray(8, 24)),
    destination: fromBytes(IPV6, packet.subarray(24, 40)),
    ...skipExtensions(packet[6]!, packet.subarray(40)),
  }
}

/** By the version in the first four bits. */
const HEADERS: Readonly<Record<number, (packet: Uint8Array) => Header | undefined>> = {
  4: parseV4,
  6: parseV6,
}

const FRAGMENT = 44

/** Bytes of IPv6 extension headers, by the number in their second byte (RFC 8200, 4; RFC 4302, 2.2). */
const EXTENSIONS: Readonly<Record<number, (number: number) => number>> = {
  0: units => 8 * (units + 1),
  43: units => 8 * (units + 1),
  [FRAGMENT]: () => 8,
  51: words => 4 * (words + 2),
  60: units => 8 * (units + 1),
}

function skipExtensions(first: number, bytes: Uint8Array): Pick<Header, 'protocol' | 'rest'> {
  let [protocol, rest] = [first, bytes]
  for (;;) {
    const lengthOf = EXTENSIONS[protocol]
    if (lengthOf === undefined || rest.length < 8) return { protocol, rest }
    const isLaterFragment = protocol === FRAGMENT && viewOf(rest).getUint16(2) >> 3 !== 0
    protocol = rest[0]!
    if (isLaterFragment) return { protocol, rest: NOTHING }
    rest = rest.subarray(lengthOf(rest[1]!))
  }
}

function parseUpper(protocol: number, bytes: Uint8Array): Upper {
  switch (protocol) {
    case ICMP.v4:
    case ICMP.v6:
      return bytes.length < 1 ? {} : { icmpType: bytes[0]! }
    case PROTOCOLS.tcp:
      // The 14th byte has the flags (RFC 9293, 3.1).
      return { ...parsePorts(bytes), isMidstream: bytes.length >= 14 && (bytes[13]! & TCP.asked) !== TCP.syn }
    case PROTOCOLS.sctp:
      // The header's twelve bytes, then the first chunk's type (RFC 9260, 3).
      return { ...parsePorts(bytes), isMidstream: bytes.length >= 13 && bytes[12] !== SCTP_INIT }
    case PROTOCOLS.udp:
      return parsePorts(bytes)
    default:
      return {}
  }
}

/** Numbers of protocols without ports (https://www.iana.org/assignments/protocol-numbers). */
export const ICMP = { v4: 1, v6: 58 } as const
/** As rules ask: FIN, SYN, RST and ACK, of which the SYN alone begins a connection. */
const TCP = { asked: 0x17, syn: 0x02 } as const
const SCTP_INIT = 1

/** All three protocols begin with their ports. */
function parsePorts(bytes: Uint8Array): Upper {
  if (bytes.length < 4) return {}
  const view = viewOf(bytes)
  return { sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) }
}
