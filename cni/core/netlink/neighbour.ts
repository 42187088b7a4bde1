import { bytesOf, FAMILIES, fromBytes, type Ip } from '../../../ipam/core/ip.ts'
import { type Mac, macBytes, macFromBytes } from '../mac.ts'
import { parseAttrs, u32, viewOf } from './attr.ts'
import { AF_BRIDGE } from './link-header.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/neighbour.h
const NDA = { dst: 1, lladdr: 2, ifindex: 8 } as const
const NUD = { reachable: 0x02, noarp: 0x40, permanent: 0x80 } as const
/** `master`: an entry of the bridge's that the interface is a port of. `sticky`: no frame moves it to another port. */
const NTF = { master: 0x04, sticky: 0x40 } as const
const HEADER = 12

/** Who has an address on a link, as far as this machine knows. */
export interface Neighbour {
  readonly index: number
  readonly ip: Ip
  readonly mac: Mac
  /** Whatever anybody on the link says, and until somebody here removes it. */
  readonly isPermanent: boolean
}

/** struct ndmsg. */
function header(family: number, index = 0, state = 0, flags = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(HEADER))
  view.setUint8(0, family)
  view.setInt32(4, index, true)
  view.setUint16(8, state, true)
  view.setUint8(10, flags)
  return new Uint8Array(view.buffer)
}

/** `ip neighbour show dev INDEX`; a kernel before 4.4 shows those of all links. */
export const dumpNeighbours = (index: number): Request => ({
  type: TYPE.getNeighbour,
  flags: FLAG.dump,
  header: header(0),
  attrs: [[NDA.ifindex, u32(index)]],
})

/** `ip neighbour del IP dev INDEX`; the kernel does not look at the state there. */
export const delNeighbour = (index: number, ip: Ip): Request => ({
  type: TYPE.delNeighbour,
  flags: FLAG.ack,
  header: header(ip.family.af, index, NUD.permanent),
  attrs: [[NDA.dst, bytesOf(ip)]],
})

/** `ip neighbour replace IP lladdr MAC dev INDEX nud permanent` */
export const replaceNeighbour = (index: number, ip: Ip, mac: Mac): Request => ({
  type: TYPE.newNeighbour,
  flags: FLAG.ack | FLAG.create | FLAG.replace,
  header: header(ip.family.af, index, NUD.permanent),
  attrs: [
    [NDA.dst, bytesOf(ip)],
    [NDA.lladdr, macBytes(mac)],
  ],
})

/**
 * `bridge fdb replace MAC dev PORT master static sticky`; with VLAN filtering it is for each VLAN of the port. `static` alone
 * only keeps it from ageing. A kernel before 4.20 knows no `sticky`, and does not say so.
 */
export const replaceFdb = (port: number, mac: Mac): Request => ({
  type: TYPE.newNeighbour,
  flags: FLAG.ack | FLAG.create | FLAG.replace,
  header: header(AF_BRIDGE, port, NUD.reachable | NUD.noarp, NTF.master | NTF.sticky),
  attrs: [[NDA.lladdr, macBytes(mac)]],
})

/** Reads the body of an RTM_NEWNEIGH; undefined for one without an IP address or a MAC, as of somebody who is looked for. */
export function parseNeighbour(body: Uint8Array): Neighbour | undefined {
  const family = FAMILIES.find(({ af }) => af === body[0])
  const attrs = parseAttrs(body.subarray(HEADER))
  const [dst, lladdr] = [attrs.get(NDA.dst), attrs.get(NDA.lladdr)]
  if (family === undefined || dst === undefined || lladdr?.length !== 6) return undefined
  const view = viewOf(body)
  return {
    index: view.getInt32(4, true),
    ip: fromBytes(family, dst),
    mac: macFromBytes(lladdr),
    isPermanent: (view.getUint16(8, true) & NUD.permanent) !== 0,
  }
}
