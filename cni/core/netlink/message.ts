import { type Attr, concat, encodeAttrs, parseAttrs, readText, viewOf } from './attr.ts'

/** Message types (include/uapi/linux/netlink.h, rtnetlink.h). */
export const TYPE = {
  error: 2,
  done: 3,
  newLink: 16,
  delLink: 17,
  getLink: 18,
  setLink: 19,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  delNeighbour: 29,
  getNeighbour: 30,
  newQdisc: 36,
  getQdisc: 38,
  newFilter: 44,
  getFilter: 46,
} as const

/** Header flags (include/uapi/linux/netlink.h). */
export const FLAG = {
  request: 0x1,
  ack: 0x4,
  echo: 0x8,
  dumpInterrupted: 0x10,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
} as const

const HEADER = 16
/** NLM_F_CAPPED and NLM_F_ACK_TLVS: the error carries no copy of the request, but the kernel's own words. */
const CAPPED = 0x100
const ACK_TLVS = 0x200
const NLMSGERR_ATTR_MSG = 1

/** A request before it has a sequence number: what is asked, of which object. */
export interface Request {
  readonly type: number
  readonly flags: number
  /** The fixed struct of the type: ifinfomsg, ifaddrmsg, rtmsg, tcmsg. */
  readonly header: Uint8Array
  readonly attrs: readonly Attr[]
}

/** One message of the kernel's. */
export interface Reply {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly body: Uint8Array
}

/** The bytes of a request. */
export function encodeRequest(request: Request, sequence: number): Uint8Array {
  const body = concat([request.header, encodeAttrs(request.attrs)])
  const header = new DataView(new ArrayBuffer(HEADER))
  header.setUint32(0, HEADER + body.length, true)
  header.setUint16(4, request.type, true)
  header.setUint16(6, request.flags | FLAG.request, true)
  header.setUint32(8, sequence, true)
  return concat([new Uint8Array(header.buffer), body])
}

/** The messages in one datagram; stops at the first that does not fit. */
export function splitReplies(datagram: Uint8Array): Reply[] {
  const view = viewOf(datagram)
  const replies: Reply[] = []
  for (let at = 0; at + HEADER <= datagram.length;) {
    const length = view.getUint32(at, true)
    if (length < HEADER || at + length > datagram.length) break
    replies.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      body: datagram.subarray(at + HEADER, at + length),
    })
    at += (length + 3) & ~3
  }
  return replies
}

/** The errno with which a dump ended; 0 when it is complete. */
export const doneErrno = ({ body }: Reply): number => (body.length < 4 ? 0 : -viewOf(body).getInt32(0, true))

/** What an error message says: the errno as a positive number (0 is an acknowledgement) and the kernel's sentence. */
export function parseAck(reply: Reply): { readonly errno: number; readonly sentence: string | undefined } {
  const view = viewOf(reply.body)
  const errno = -view.getInt32(0, true)
  if ((reply.flags & ACK_TLVS) === 0) return { errno, sentence: undefined }
  const copied = (reply.flags & CAPPED) === 0 ? view.getUint32(4, true) : HEADER
  const attrs = parseAttrs(reply.body.subarray(4 + ((copied + 3) & ~3)))
  return { errno, sentence: readText(attrs.get(NLMSGERR_ATTR_MSG)) }
}
