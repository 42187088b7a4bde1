import { bytesOf, formatIp, fromBytes, type Ip, IPV4, IPV6 } from '../../../ipam/core/ip.ts'
import { type Mac, macBytes, macFromBytes } from '../mac.ts'
import { concat } from './attr.ts'

/** The types that keys and values of our maps are made of, by nft's names (`nft describe NAME`). */
export type FieldType = 'ipv4_addr' | 'ipv6_addr' | 'ether_addr' | 'inet_proto' | 'inet_service'

/** A part of an element's key or value. */
export interface Field {
  readonly type: FieldType
  readonly value: bigint
}

/** Bytes of each type. */
const SIZES: Readonly<Record<FieldType, number>> = {
  ipv4_addr: 4,
  ipv6_addr: 16,
  ether_addr: 6,
  inet_proto: 1,
  inet_service: 2,
}

/** Protocols with ports, by their numbers in an IP header (include/uapi/linux/in.h). */
export const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const
export type Protocol = keyof typeof PROTOCOLS

/** The type that holds addresses of a family. */
export const addressType = ({ version }: Ip['family']): FieldType => `ipv${version}_addr`

export const addressField = ({ family, value }: Ip): Field => ({ type: addressType(family), value })
export const macField = (mac: Mac): Field => ({
  type: 'ether_addr',
  value: fromBytes(IPV6, macBytes(mac)).value,
})
export const protocolField = (name: Protocol): Field => ({
  type: 'inet_proto',
  value: BigInt(PROTOCOLS[name]),
})
export const portField = (port: number): Field => ({ type: 'inet_service', value: BigInt(port) })

/**
 * The bytes of a key or a value in network order. Of several fields each fills whole registers of four bytes
 * (include/uapi/linux/netfilter/nf_tables.h, NFT_REG32_SIZE), zeros at its end.
 */
export function encodeFields(fields: readonly Field[]): Uint8Array {
  const [first] = fields
  if (first !== undefined && fields.length === 1) return bytesOfField(first)
  return concat(
    fields.map(field => {
      const padded = new Uint8Array(sizeInRegisters(field.type))
      padded.set(bytesOfField(field))
      return padded
    }),
  )
}

const sizeInRegisters = (type: FieldType): number => (SIZES[type] + 3) & ~3

function bytesOfField({ type, value }: Field): Uint8Array {
  const bytes = bytesOf({ family: IPV6, value })
  return bytes.subarray(bytes.length - SIZES[type])
}

/** The reverse of {@link encodeFields}; undefined when the bytes are not of these types. */
export function decodeFields(types: readonly FieldType[], bytes: Uint8Array): Field[] | undefined {
  const sizes = types.map(type => (types.length === 1 ? SIZES[type] : sizeInRegisters(type)))
  if (bytes.length !== sizes.reduce((sum, size) => sum + size, 0)) return undefined
  let at = 0
  return types.map((type, i) => {
    const { value } = fromBytes(IPV6, bytes.subarray(at, at + SIZES[type]))
    at += sizes[i]!
    return { type, value }
  })
}

/** A key or value as nft writes it: `tcp . 8080`. */
export const formatFields = (fields: readonly Field[]): string => fields.map(formatField).join(' . ')

function formatField(field: Field): string {
  const { type, value } = field
  if (type === 'ipv4_addr') return formatIp({ family: IPV4, value })
  if (type === 'ipv6_addr') return formatIp({ family: IPV6, value })
  if (type === 'ether_addr') return macFromBytes(bytesOfField(field))
  const name = Object.entries(PROTOCOLS).find(([, number]) => BigInt(number) === value)?.[0]
  return type === 'inet_proto' && name !== undefined ? name : `${value}`
}
