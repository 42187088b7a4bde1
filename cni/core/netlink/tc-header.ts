/*
 * The kernel's words for traffic control: include/uapi/linux/rtnetlink.h, handles in pkt_sched.h.
 */

/** Attributes of qdiscs and filters. */
export const TCA = { kind: 1, options: 2 } as const

/** Where a qdisc hangs: TC_H_ROOT for what leaves, TC_H_INGRESS for what comes in. */
export const PARENT = { root: 0xffff_ffff, ingress: 0xffff_fff1 } as const

/** `1:` and, as the kernel wants it for the ingress qdisc, `ffff:`. */
export const HANDLE = { root: 0x0001_0000, ingress: 0xffff_0000 } as const

interface Header {
  readonly index: number
  readonly handle?: number
  readonly parent: number
  readonly info?: number
}

/** struct tcmsg (include/uapi/linux/rtnetlink.h). */
export function tcHeader({ index, handle = 0, parent, info = 0 }: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(TC_HEADER))
  view.setInt32(4, index, true)
  view.setUint32(8, handle, true)
  view.setUint32(12, parent, true)
  view.setUint32(16, info, true)
  return new Uint8Array(view.buffer)
}

/** Bytes of struct tcmsg. */
export const TC_HEADER = 20
