import { attrList, parseAttrs, text, viewOf } from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'
import { HANDLE, TC_HEADER, TCA, tcHeader } from './tc-header.ts'

// include/uapi/linux/pkt_cls.h
const U32 = { selector: 5, actions: 7 } as const
const TC_U32_TERMINAL = 1
const ACTION = { kind: 1, options: 2 } as const
const TC_ACT_STOLEN = 4
// include/uapi/linux/tc_act/tc_mirred.h
const TCA_MIRRED_PARMS = 2
const TCA_EGRESS_REDIR = 1
const MIRRED_BYTES = 28
/** ETH_P_ALL (include/uapi/linux/if_ether.h) in network order, and the first of all priorities above it. */
const ALL_PROTOCOLS_FIRST = (1 << 16) | 0x0300

/** Traffic that does not go on from where it came in, but leaves through another interface. */
export interface Redirect {
  /** The interface where it comes in. */
  readonly index: number
  /** The interface that it leaves through. */
  readonly to: number
}

/**
 * `tc filter add dev INDEX parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev TO`.
 * The reference uses this classifier, and more kernels have it than have `matchall`.
 */
export const addRedirect = ({ index, to }: Redirect): Request => ({
  type: TYPE.newFilter,
  flags: FLAG.ack | FLAG.create | FLAG.exclusive,
  header: tcHeader({ index, parent: HANDLE.ingress, info: ALL_PROTOCOLS_FIRST }),
  attrs: [
    [TCA.kind, text('u32')],
    [
      TCA.options,
      [
        [U32.actions, [[1, redirectAction(to)]]],
        [U32.selector, matchAll()],
      ],
    ],
  ],
})

const redirectAction = (to: number) =>
  [
    [ACTION.kind, text('mirred')],
    [ACTION.options, [[TCA_MIRRED_PARMS, mirred(to)]]],
  ] as const

/** struct tc_mirred: struct tc_gen with the verdict, what to do, and where to. */
function mirred(to: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(MIRRED_BYTES))
  view.setInt32(8, TC_ACT_STOLEN, true)
  view.setInt32(20, TCA_EGRESS_REDIR, true)
  view.setUint32(24, to, true)
  return new Uint8Array(view.buffer)
}

/** struct tc_u32_sel with one key that masks everything out: each packet matches. */
function matchAll(): Uint8Array {
  const bytes = new Uint8Array(16 + 16)
  bytes[0] = TC_U32_TERMINAL
  bytes[2] = 1
  return bytes
}

/** `tc filter show dev INDEX parent ffff:` */
export const dumpFilters = (index: number): Request => ({
  type: TYPE.getFilter,
  flags: FLAG.dump,
  header: tcHeader({ index, parent: HANDLE.ingress }),
  attrs: [],
})

/** Reads the body of an RTM_NEWTFILTER: where it redirects to, of which a filter can have several. */
export function parseRedirects(body: Uint8Array): Redirect[] {
  const index = viewOf(body).getInt32(4, true)
  const options = parseAttrs(body.subarray(TC_HEADER)).get(TCA.options) ?? new Uint8Array()
  const actions = attrList(parseAttrs(options).get(U32.actions) ?? new Uint8Array())
  return actions.flatMap(([, action]) => redirectOf(action).map(to => ({ index, to })))
}

function redirectOf(action: Uint8Array): number[] {
  const options = parseAttrs(action).get(ACTION.options) ?? new Uint8Array()
  const parms = parseAttrs(options).get(TCA_MIRRED_PARMS)
  if (parms?.length !== MIRRED_BYTES) return []
  const view = viewOf(parms)
  return view.getInt32(20, true) === TCA_EGRESS_REDIR ? [view.getUint32(24, true)] : []
}
