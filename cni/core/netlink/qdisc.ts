import type { TokenBucket } from '../bandwidth.ts'
import { type Attr, parseAttrs, readText, text, u32, u64, viewOf } from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'
import { HANDLE, PARENT, TC_HEADER, TCA, tcHeader } from './tc-header.ts'

// include/uapi/linux/pkt_sched.h
const TBF = { parms: 1, rate64: 4, burst: 6 } as const
const TC_LINKLAYER_ETHERNET = 1
const MAX_U32 = 2 ** 32 - 1

/** A queueing discipline as the kernel shows it. */
export interface Qdisc {
  /** The interface it is on. */
  readonly index: number
  readonly kind: string | undefined
  /** For a token bucket filter: bytes per second. */
  readonly rate: number | undefined
}

/** `tc qdisc add dev INDEX root handle 1: tbf rate RATE burst BURST limit LIMIT` */
export const addTbf = (index: number, bucket: TokenBucket): Request => ({
  type: TYPE.newQdisc,
  flags: FLAG.ack | FLAG.create | FLAG.exclusive,
  header: tcHeader({ index, handle: HANDLE.root, parent: PARENT.root }),
  attrs: [
    [TCA.kind, text('tbf')],
    [TCA.options, tbfOptions(bucket)],
  ],
})

/**
 * The burst goes as bytes, which the kernel takes since 3.13 in place of the qopt's `buffer`: that is a time, in ticks of
 * 64 ns (PSCHED_SHIFT, include/net/pkt_sched.h), and would be rounded.
 */
const tbfOptions = ({ rate, burst, limit }: TokenBucket): Attr[] => [
  [TBF.parms, tbfQopt(rate, limit)],
  [TBF.burst, u32(burst)],
  ...(rate > MAX_U32 ? [[TBF.rate64, u64(rate)] as const] : []),
]

/** struct tc_tbf_qopt: struct tc_ratespec of the rate, that of a peak rate (none), limit, buffer, mtu of a peak rate. */
function tbfQopt(rate: number, limit: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(36))
  // With a link layer named, the kernel computes what older ones looked up in a table sent along.
  view.setUint8(1, TC_LINKLAYER_ETHERNET)
  view.setUint32(8, Math.min(rate, MAX_U32), true)
  view.setUint32(24, limit, true)
  return new Uint8Array(view.buffer)
}

/** `tc qdisc add dev INDEX handle ffff: ingress` */
export const addIngress = (index: number): Request => ({
  type: TYPE.newQdisc,
  flags: FLAG.ack | FLAG.create | FLAG.exclusive,
  header: tcHeader({ index, handle: HANDLE.ingress, parent: PARENT.ingress }),
  attrs: [[TCA.kind, text('ingress')]],
})

/** `tc qdisc show dev INDEX root`; the kernel tells it to listeners, and to who asks only by request. */
export const getRootQdisc = (index: number): Request => ({
  type: TYPE.getQdisc,
  flags: FLAG.ack | FLAG.echo,
  header: tcHeader({ index, parent: PARENT.root }),
  attrs: [],
})

/** Reads the body of an RTM_NEWQDISC. */
export function parseQdisc(body: Uint8Array): Qdisc {
  const attrs = parseAttrs(body.subarray(TC_HEADER))
  const kind = readText(attrs.get(TCA.kind))
  const rate = kind === 'tbf' ? tbfRate(attrs.get(TCA.options) ?? new Uint8Array()) : undefined
  return { index: viewOf(body).getInt32(4, true), kind, rate }
}

function tbfRate(options: Uint8Array): number | undefined {
  const attrs = parseAttrs(options)
  const wide = attrs.get(TBF.rate64)
  if (wide?.length === 8) return Number(viewOf(wide).getBigUint64(0, true))
  const qopt = attrs.get(TBF.parms)
  return qopt?.length === 36 ? viewOf(qopt).getUint32(8, true) : undefined
}
