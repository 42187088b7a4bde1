import { bytesOf, formatIp, fromBytes, type Ip, IPV4, IPV6 } from '../../ipam/core/ip.ts'

/** A packet as far as tests make and look at one; it carries nothing. */
export interface RawPacket {
  readonly source: Ip
  readonly destination: Ip
  /** `icmp` is an echo request of either family. */
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp'
  /** Of an echo request its identifier. */
  readonly sourcePort: number
  readonly port: number
  /** Of TCP; a SYN unless said otherwise. */
  readonly flags?: number
  readonly sequence?: number
  readonly acknowledgement?: number
  /** The type of the chunk in SCTP; INIT unless said otherwise. */
  readonly chunk?: number
}

/** Flags in TCP's header (RFC 9293, 3.1). */
export const TCP = { fin: 1, syn: 2, rst: 4, ack: 16 } as const
/** Types of chunks (RFC 9260, 3.2). */
export const SCTP = { data: 0, init: 1, heartbeat: 4 } as const

/** By protocol, the numbers in IPv4's and IPv6's header. */
const NUMBERS = { tcp: [6, 6], udp: [17, 17], sctp: [132, 132], icmp: [1, 58] } as const
const PROTOCOLS = Object.keys(NUMBERS) as readonly RawPacket['protocol'][]
const ECHO_REQUEST = [8, 128] as const

const side = ({ family }: Ip): 0 | 1 => (family === IPV4 ? 0 : 1)

/** What a packet is known by again, wherever it is seen. */
export const nameOf = ({ source, destination, protocol, sourcePort, port }: RawPacket): string =>
  `${protocol} ${formatIp(source)} ${sourcePort} > ${formatIp(destination)} ${port}`

/** The first packet in the other direction. */
export const answerTo = ({ source, destination, sourcePort, port, ...packet }: RawPacket): RawPacket => ({
  ...packet,
  source: destination,
  destination: source,
  sourcePort: port,
  port: sourcePort,
})

/** The packet from the IP header on, all checksums right but that of IPv4's header, which the kernel fills in. */
export function encodePacket(packet: RawPacket): Uint8Array {
  const { source, destination, protocol } = packet
  const body = encodeBody(packet)
  const number = NUMBERS[protocol][side(source)]
  const addresses = [...bytesOf(source), ...bytesOf(destination)]
  const header =
    source.family === IPV4
      ? [0x45, 0, ...u16(20 + body.length), 0, 0, 0, 0, 64, number, 0, 0, ...addresses]
      : [0x60, 0, 0, 0, ...u16(body.length), number, 64, ...addresses]
  return Uint8Array.from([...header, ...body])
}

/** What is before a packet on a link: MACs, and types of tags for VLAN 0, the outermost first. */
export interface FrameHeader {
  readonly source: string
  readonly destination: string
  readonly tags: readonly number[]
}

/** A packet in a frame, as Ethernet has it, all checksums right. */
export function encodeFrame(packet: RawPacket, { source, destination, tags }: FrameHeader): Uint8Array {
  const bytes = [...encodePacket(packet)]
  const isV4 = packet.source.family === IPV4
  const sum = u16(checksum(bytes.slice(0, 20)))
  const body = isV4 ? bytes.toSpliced(10, 2, ...sum) : bytes
  const addresses = [destination, source].flatMap(mac => mac.split(':').map(byte => parseInt(byte, 16)))
  const type = isV4 ? 0x0800 : 0x86dd
  return Uint8Array.from([...addresses, ...tags.flatMap(tag => [...u16(tag), 0, 0]), ...u16(type), ...body])
}

/** Reads a packet that {@link encodePacket} could have made; undefined for any other. */
export function decodePacket(bytes: Uint8Array): RawPacket | undefined {
  const isV4 = bytes[0]! >> 4 === 4
  const [family, number, ends] = isV4 ? [IPV4, bytes[9]!, 12] : [IPV6, bytes[6]!, 8]
  const length = family.bits / 8
  const body = bytes.subarray(ends + 2 * length)
  const protocol = PROTOCOLS.find(name => NUMBERS[name][isV4 ? 0 : 1] === number)
  if (protocol === undefined) return undefined
  const at = (offset: number): number => (body[offset]! << 8) | body[offset + 1]!
  const address = (offset: number): Ip => fromBytes(family, bytes.subarray(offset, offset + length))
  const packet = { source: address(ends), destination: address(ends + length), protocol }
  if (protocol !== 'icmp')
    return { ...packet, sourcePort: at(0), port: at(2), ...(protocol === 'tcp' ? { flags: body[13]! } : {}) }
  return body[0] === ECHO_REQUEST[isV4 ? 0 : 1] ? { ...packet, sourcePort: at(4), port: 0 } : undefined
}

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255]
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value)]

function encodeBody(packet: RawPacket): number[] {
  const { source, protocol, sourcePort, port, sequence = 0, acknowledgement = 0 } = packet
  const ports = [...u16(sourcePort), ...u16(port)]
  switch (protocol) {
    case 'tcp': {
      const flags = [0x50, packet.flags ?? TCP.syn]
      return summed(
        [...ports, ...u32(sequence), ...u32(acknowledgement), ...flags, 255, 255, 0, 0, 0, 0],
        16,
        packet,
      )
    }
    case 'udp':
      return summed([...ports, 0, 8, 0, 0], 6, packet)
    case 'icmp':
      return summed([ECHO_REQUEST[side(source)], 0, 0, 0, ...u16(sourcePort), 0, 0], 2, packet)
    case 'sctp':
      return encodeSctp(ports, packet.chunk ?? SCTP.init)
  }
}

/** Fills in the checksum of the Internet (RFC 1071), of the body and, but for IPv4's ICMP, the ends. */
function summed(body: readonly number[], at: number, { source, destination, protocol }: RawPacket): number[] {
  const ends = [
    ...bytesOf(source),
    ...bytesOf(destination),
    0,
    NUMBERS[protocol][side(source)],
    ...u16(body.length),
  ]
  const bytes = protocol === 'icmp' && source.family === IPV4 ? body : [...ends, ...body]
  return body.toSpliced(at, 2, ...u16(checksum(bytes) || 0xffff))
}

function checksum(bytes: readonly number[]): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff)
  return ~sum & 0xffff
}

/** A header and one chunk of the size of an INIT, whose checksum is a CRC32c (RFC 9260, 3.1 and appendix A). */
function encodeSctp(ports: readonly number[], chunk: number): number[] {
  const tag = u32(chunk === SCTP.init ? 0 : 1)
  const fields = [...u32(1), ...u32(65535), 0, 1, 0, 1, ...u32(1)]
  const packet = [...ports, ...tag, 0, 0, 0, 0, chunk, 0, 0, 20, ...fields]
  let crc = ~0
  for (const byte of packet) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return packet.toSpliced(8, 4, ...u32(~crc).toReversed())
}
