/*
 * The kernel's words for links: include/uapi/linux/if_link.h and, for flags and the fixed struct, if.h and rtnetlink.h.
 */

/** Link flags. */
export const IFF = { up: 0x1, loopback: 0x8, promisc: 0x100 } as const

/** Attributes of a link. */
export const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protinfo: 12,
  linkinfo: 18,
  alias: 20,
  group: 27,
  netnsFd: 28,
  afSpec: 26,
} as const

/** Attributes of its kind, inside `linkinfo`. */
export const INFO = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const

/** Attributes of a bridge port. */
export const BRPORT = { state: 1, hairpin: 4, learning: 8, flood: 9, isolated: 33, locked: 39 } as const

/** The family of what bridges have of their own (include/linux/socket.h). */
export const AF_BRIDGE = 7

interface Header {
  readonly index?: number
  readonly flags?: number
  readonly change?: number
  readonly family?: number
}

/** struct ifinfomsg (include/uapi/linux/rtnetlink.h). */
export function linkHeader({ index = 0, flags = 0, change = flags, family = 0 }: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint8(0, family)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return new Uint8Array(view.buffer)
}
