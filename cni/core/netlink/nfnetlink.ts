import { type Attr, text } from './attr.ts'
import type { Request } from './message.ts'

/*
 * Netfilter over netlink (include/uapi/linux/netfilter/nfnetlink.h): each message names a subsystem and a command, and
 * all numbers in its attributes are in network order.
 */

/** The subsystems that are asked here. */
export const SUBSYSTEM = { conntrack: 1, log: 4, nftables: 10 } as const

/** The subsystem that a request is for. */
export const subsystemOf = ({ type }: Request): number => type >> 8

/** Two bytes in network order. */
export const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value)
/** Four bytes in network order. */
export const be32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)

/** Reads a number in network order of whatever size; undefined when the attribute is absent. */
export const readBig = (bytes: Uint8Array | undefined): number | undefined =>
  bytes?.reduce((value, byte) => value * 256 + byte, 0)

/** struct nfgenmsg: a family, version 0, a resource. */
export const header = (family: number, resource = 0): Uint8Array =>
  Uint8Array.of(family, 0, ...be16(resource))

/** NFPROTO_INET (include/uapi/linux/netfilter.h): IPv4 and IPv6 in one table. */
const INET = 1

/** A request about table `inet podwire`; the table's name is the first attribute of every kind of object in it. */
export const tableRequest = (command: number, flags: number, attrs: readonly Attr[]): Request => ({
  type: (SUBSYSTEM.nftables << 8) | command,
  flags,
  header: header(INET),
  attrs: [[1, text('podwire')], ...attrs],
})

const BATCH_BEGIN = 16
const BATCH_END = 17

const edge = (type: number): Request => ({ type, flags: 0, header: header(0, SUBSYSTEM.nftables), attrs: [] })

/** What stands before and after changes of nftables, so that the kernel makes all of them or none. */
export const BATCH = { begin: edge(BATCH_BEGIN), end: edge(BATCH_END) } as const
