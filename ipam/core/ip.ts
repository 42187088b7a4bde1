import ipaddr from 'ipaddr.js'

/** One of the two address families; all that differs between IPv4 and IPv6 is data in here. */
export interface Family {
  readonly version: 4 | 6
  /** Bits of an address. */
  readonly bits: 32 | 128
  /** The number that the kernel knows the family by (AF_INET, AF_INET6). */
  readonly af: 2 | 10
  /** The word that nft and sysctl use. */
  readonly word: 'ip' | 'ip6'
}

export const IPV4: Family = { version: 4, bits: 32, af: 2, word: 'ip' }
export const IPV6: Family = { version: 6, bits: 128, af: 10, word: 'ip6' }
export const FAMILIES: readonly Family[] = [IPV4, IPV6]

/** An address; `value` is its bits as one unsigned number. */
export interface Ip {
  readonly family: Family
  readonly value: bigint
}

/** An address with the length of its network's prefix: a network when the host bits are zero. */
export interface Cidr {
  readonly ip: Ip
  readonly prefix: number
}

/**
 * Reads an address in the one spelling that all tools agree on: four plain decimals, or RFC 4291 text.
 * No zone, no leading zeros (ipaddr.js alone would read 010.0.0.1 as 8.0.0.1), no brackets.
 * An IPv4-mapped address (`::ffff:10.0.0.1`) is the IPv4 address, as it is for Go's `net.ParseIP`.
 * `node:net`'s isIP would do, but loading it costs a call 1.4 ms; a test holds the two together.
 */
export function parseIp(text: string): Ip | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return fromBytes(IPV4, ipaddr.IPv4.parse(text).toByteArray())
  const hex = withoutDots(text)
  if (hex === undefined || hex.includes('%') || !ipaddr.IPv6.isValid(hex)) return undefined
  const ip = fromBytes(IPV6, ipaddr.IPv6.parse(hex).toByteArray())
  return ip.value >> 32n === 0xffffn ? { family: IPV4, value: ip.value & 0xffffffffn } : ip
}

/**
 * IPv6 text whose last 32 bits may be dotted decimals, as hex groups alone. Done here because ipaddr.js would take
 * leading zeros there, and reads `::1.2.3.4` as `::ffff:1.2.3.4`.
 */
function withoutDots(text: string): string | undefined {
  const tail = text.slice(text.lastIndexOf(':') + 1)
  if (!tail.includes('.')) return text
  if (!ipaddr.IPv4.isValidFourPartDecimal(tail)) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = ipaddr.IPv4.parse(tail).toByteArray()
  const groups = [(a << 8) | b, (c << 8) | d].map(group => group.toString(16))
  return text.slice(0, text.length - tail.length) + groups.join(':')
}

/** Reads `address/prefix`; the host bits may be set. No IPv4-mapped address: its prefix would be of the wrong family. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const address = text.slice(0, Math.max(slash, 0))
  const ip = parseIp(address)
  const digits = text.slice(slash + 1)
  if (ip === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined
  if (address.includes(':') && ip.family === IPV4) return undefined
  const prefix = Number(digits)
  return prefix <= ip.family.bits ? { ip, prefix } : undefined
}

/** The address's text: dotted decimals, or RFC 5952 for IPv6; for all that {@link parseIp} gives, Go's `net.IP.String()`. */
export function formatIp(ip: Ip): string {
  return ipaddr.fromByteArray([...bytesOf(ip)]).toString()
}

export function formatCidr(cidr: Cidr): string {
  return `${formatIp(cidr.ip)}/${cidr.prefix}`
}

/** The address in network byte order: 4 or 16 bytes. */
export function bytesOf(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(ip.family.bits / 8)
  for (let i = bytes.length - 1, rest = ip.value; i >= 0; i -= 1, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/** The reverse of {@link bytesOf}. */
export function fromBytes(family: Family, bytes: Iterable<number>): Ip {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return { family, value }
}

/** The address `steps` further on; undefined past either end of the family. */
export function addTo(ip: Ip, steps: bigint): Ip | undefined {
  const value = ip.value + steps
  return value < 0n || value >= 1n << BigInt(ip.family.bits) ? undefined : { family: ip.family, value }
}

/** Same family and same bits. */
export function sameIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.value === b.value
}

const hostBits = (cidr: Cidr): bigint => (1n << BigInt(cidr.ip.family.bits - cidr.prefix)) - 1n

/** The network of an address: its host bits cleared. */
export function networkOf(cidr: Cidr): Cidr {
  return { ip: { family: cidr.ip.family, value: cidr.ip.value & ~hostBits(cidr) }, prefix: cidr.prefix }
}

/** The last address of a network: the IPv4 broadcast. */
export function lastOf(cidr: Cidr): Ip {
  return { family: cidr.ip.family, value: cidr.ip.value | hostBits(cidr) }
}

/** Whether an address lies in a network. */
export function contains(cidr: Cidr, ip: Ip): boolean {
  return cidr.ip.family === ip.family && (cidr.ip.value ^ ip.value) <= hostBits(cidr)
    ? networkOf(cidr).ip.value === (ip.value & ~hostBits(cidr))
    : false
}

/** Whether two networks share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return contains(a, networkOf(b).ip) || contains(b, networkOf(a).ip)
}
