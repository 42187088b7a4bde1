import { bytesOf, type Cidr, FAMILIES, type Family, fromBytes } from '../../../ipam/core/ip.ts'
import { type Attr, parseAttrs, readNumber, u32, viewOf } from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/if_addr.h
const IFA = { address: 1, local: 2, broadcast: 4, flags: 8 } as const
const IFA_F = { noDad: 0x02, tentative: 0x40, dadFailed: 0x08 } as const

/** An address on an interface, as the kernel shows it. */
export interface InterfaceAddress {
  readonly cidr: Cidr
  /** Index of its interface. */
  readonly index: number
  /** Still under duplicate address detection: not usable yet. */
  readonly tentative: boolean
  /** Duplicate address detection found another owner. */
  readonly duplicate: boolean
}

/** struct ifaddrmsg. */
function header(family: Family, prefix: number, index: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(8))
  view.setUint8(0, family.af)
  view.setUint8(1, prefix)
  view.setInt32(4, index, true)
  return new Uint8Array(view.buffer)
}

const identity = (cidr: Cidr): Attr[] => [
  [IFA.local, bytesOf(cidr.ip)],
  [IFA.address, bytesOf(cidr.ip)],
]

/** `ip address add CIDR dev INDEX [nodad]`; fails with EEXIST when the interface has it. */
export const addAddress = (index: number, cidr: Cidr, dad: boolean): Request => ({
  type: TYPE.newAddress,
  flags: FLAG.ack | FLAG.create | FLAG.exclusive,
  header: header(cidr.ip.family, cidr.prefix, index),
  attrs: [...identity(cidr), [IFA.flags, u32(dad ? 0 : IFA_F.noDad)]],
})

/** `ip address del CIDR dev INDEX` */
export const delAddress = (index: number, cidr: Cidr): Request => ({
  type: TYPE.delAddress,
  flags: FLAG.ack,
  header: header(cidr.ip.family, cidr.prefix, index),
  attrs: identity(cidr),
})

/** `ip address show dev INDEX`; the kernel filters when the socket asks for strict checking. */
export function dumpAddresses(index: number): Request {
  const view = new DataView(new ArrayBuffer(8))
  view.setInt32(4, index, true)
  return { type: TYPE.getAddress, flags: FLAG.dump, header: new Uint8Array(view.buffer), attrs: [] }
}

/** Reads the body of an RTM_NEWADDR; undefined for a family that is not ours. */
export function parseAddress(body: Uint8Array): InterfaceAddress | undefined {
  const view = viewOf(body)
  const family = FAMILIES.find(f => f.af === view.getUint8(0))
  const attrs = parseAttrs(body.subarray(8))
  const bytes = attrs.get(IFA.local) ?? attrs.get(IFA.address)
  if (family === undefined || bytes === undefined) return undefined
  const flags = readNumber(attrs.get(IFA.flags)) ?? view.getUint8(2)
  return {
    cidr: { ip: fromBytes(family, bytes), prefix: view.getUint8(1) },
    index: view.getInt32(4, true),
    tentative: (flags & IFA_F.tentative) !== 0,
    duplicate: (flags & IFA_F.dadFailed) !== 0,
  }
}
