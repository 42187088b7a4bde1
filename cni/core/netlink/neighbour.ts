import { bytesOf, type Ip } from '../../../ipam/core/ip.ts'
import { type Mac, macBytes } from '../mac.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/neighbour.h
const NDA = { dst: 1, lladdr: 2 } as const
/** Used at once, and asked about when it has been used a while. */
const NUD_STALE = 0x04
/** What a removal says, though the kernel does not look at it there. */
const NUD_PERMANENT = 0x80

/** struct ndmsg. */
function header(ip: Ip, index: number, state: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(12))
  view.setUint8(0, ip.family.af)
  view.setInt32(4, index, true)
  view.setUint16(8, state, true)
  return new Uint8Array(view.buffer)
}

/** `ip neighbour del IP dev INDEX` */
export const delNeighbour = (index: number, ip: Ip): Request => ({
  type: TYPE.delNeighbour,
  flags: FLAG.ack,
  header: header(ip, index, NUD_PERMANENT),
  attrs: [[NDA.dst, bytesOf(ip)]],
})

/** `ip neighbour replace IP lladdr MAC dev INDEX nud stale` */
export const replaceNeighbour = (index: number, ip: Ip, mac: Mac): Request => ({
  type: TYPE.newNeighbour,
  flags: FLAG.ack | FLAG.create | FLAG.replace,
  header: header(ip, index, NUD_STALE),
  attrs: [
    [NDA.dst, bytesOf(ip)],
    [NDA.lladdr, macBytes(mac)],
  ],
})
