import { type Mac, macBytes, macFromBytes } from '../mac.ts'
import {
  type Attr,
  encodeAttrs,
  parseAttrs,
  readNumber,
  readText,
  text,
  u16,
  u32,
  u8,
  viewOf,
} from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'

/** Link flags (include/uapi/linux/if.h). */
export const IFF = { up: 0x1, loopback: 0x8, promisc: 0x100 } as const

// include/uapi/linux/if_link.h
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protinfo: 12,
  linkinfo: 18,
  alias: 20,
  netnsFd: 28,
  afSpec: 26,
} as const
const INFO = { kind: 1, data: 2, slaveKind: 4, slaveData: 5 } as const
const BRIDGE = { vlanFiltering: 7 } as const
const BRPORT = { state: 1, hairpin: 4, isolated: 33 } as const
const VETH_INFO_PEER = 1
const AF_BRIDGE = 7
// include/uapi/linux/if_bridge.h
const BRIDGE_VLAN_INFO = 2
const VLAN_FLAG = { pvid: 2, untagged: 4, rangeBegin: 8, rangeEnd: 16 } as const
const STATE_FORWARDING = 3

/** A link as the kernel shows it. */
export interface Link {
  readonly index: number
  readonly name: string
  readonly flags: number
  readonly mac: Mac | undefined
  readonly mtu: number
  readonly kind: string | undefined
  readonly alias: string | undefined
  /** Index of the bridge it is a port of. */
  readonly master: number | undefined
  /** For a veth: the index of the other end, in that end's namespace. */
  readonly peer: number | undefined
  readonly hairpin: boolean
  readonly isolated: boolean
}

interface Header {
  readonly index?: number
  readonly flags?: number
  readonly change?: number
  readonly family?: number
}

/** struct ifinfomsg (include/uapi/linux/rtnetlink.h). */
function header({ index = 0, flags = 0, change = flags, family = 0 }: Header): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint8(0, family)
  view.setInt32(4, index, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, change, true)
  return new Uint8Array(view.buffer)
}

/** `ip link show NAME` */
export const getLink = (name: string): Request => ({
  type: TYPE.getLink,
  flags: 0,
  header: header({}),
  attrs: [[IFLA.name, text(name)]],
})

/** `ip link show` for a link by its index. */
export const getLinkByIndex = (index: number): Request => ({
  type: TYPE.getLink,
  flags: 0,
  header: header({ index }),
  attrs: [],
})

/** `ip link show`, or with `master` `ip link show master BRIDGE`. */
export const dumpLinks = (master?: number): Request => ({
  type: TYPE.getLink,
  flags: FLAG.dump,
  header: header({}),
  attrs: master === undefined ? [] : [[IFLA.master, u32(master)]],
})

/** `ip link add NAME type bridge [mtu MTU] [vlan_filtering 1]` */
export function addBridge(name: string, mtu: number | undefined, vlanFiltering: boolean): Request {
  const data: Attr[] = vlanFiltering ? [[BRIDGE.vlanFiltering, u8(1)]] : []
  return {
    type: TYPE.newLink,
    flags: FLAG.ack | FLAG.create | FLAG.exclusive,
    header: header({}),
    attrs: [
      [IFLA.name, text(name)],
      ...(mtu === undefined ? [] : [[IFLA.mtu, u32(mtu)] as const]),
      [
        IFLA.linkinfo,
        [[INFO.kind, text('bridge')], ...(data.length > 0 ? [[INFO.data, data] as const] : [])],
      ],
    ],
  }
}

/** One end of a veth pair. */
export interface VethEnd {
  readonly name: string
  readonly mac: Mac
}

/** `ip link add HOST mtu MTU address MAC master BRIDGE type veth peer name PEER mtu MTU address MAC netns FD` */
export function addVeth(
  host: VethEnd,
  peer: VethEnd,
  mtu: number,
  master: number,
  netnsFd: number | undefined,
): Request {
  const end = ({ name, mac }: VethEnd): Attr[] => [
    [IFLA.name, text(name)],
    [IFLA.address, macBytes(mac)],
    [IFLA.mtu, u32(mtu)],
  ]
  const inNetns: Attr[] = netnsFd === undefined ? [] : [[IFLA.netnsFd, u32(netnsFd)]]
  const peerInfo = new Uint8Array([...header({}), ...encodeAttrs([...end(peer), ...inNetns])])
  return {
    type: TYPE.newLink,
    flags: FLAG.ack | FLAG.create | FLAG.exclusive,
    header: header({}),
    attrs: [
      ...end(host),
      [IFLA.master, u32(master)],
      [
        IFLA.linkinfo,
        [
          [INFO.kind, text('veth')],
          [INFO.data, [[VETH_INFO_PEER, peerInfo]]],
        ],
      ],
    ],
  }
}

/** `ip link del NAME` */
export const delLink = (name: string): Request => ({
  type: TYPE.delLink,
  flags: FLAG.ack,
  header: header({}),
  attrs: [[IFLA.name, text(name)]],
})

/** What {@link setLink} can change. */
export interface LinkChange {
  readonly up?: boolean
  readonly promisc?: boolean
  readonly mac?: Mac
  readonly alias?: string
}

/** `ip link set NAME [up] [promisc on] [address MAC] [alias TEXT]` */
export function setLink(name: string, change: LinkChange): Request {
  const wanted = (change.up === true ? IFF.up : 0) | (change.promisc === true ? IFF.promisc : 0)
  return {
    type: TYPE.setLink,
    flags: FLAG.ack,
    header: header({ flags: wanted }),
    attrs: [
      [IFLA.name, text(name)],
      ...(change.mac === undefined ? [] : [[IFLA.address, macBytes(change.mac)] as const]),
      ...(change.alias === undefined ? [] : [[IFLA.alias, text(change.alias)] as const]),
    ],
  }
}

/** `bridge link set dev PORT [hairpin on] [isolated on]` */
export const setPort = (index: number, hairpin: boolean, isolated: boolean): Request =>
  portRequest(index, [
    [BRPORT.hairpin, u8(hairpin ? 1 : 0)],
    [BRPORT.isolated, u8(isolated ? 1 : 0)],
  ])

/** `bridge link set dev PORT state 3`: forward now, without waiting for the kernel to notice the carrier. */
export const setForwarding = (index: number): Request =>
  portRequest(index, [[BRPORT.state, u8(STATE_FORWARDING)]])

const portRequest = (index: number, port: readonly Attr[]): Request => ({
  type: TYPE.setLink,
  flags: FLAG.ack,
  header: header({ index, family: AF_BRIDGE }),
  attrs: [[IFLA.protinfo, port]],
})

/** VLAN ids from `min` to `max`, both included, on a bridge port. */
export interface VlanRange {
  readonly min: number
  readonly max: number
  /** Untagged frames that come in get this id, and frames of it leave untagged. */
  readonly access: boolean
}

/** `bridge vlan add|del dev PORT vid MIN-MAX [pvid untagged]` */
export function changeVlan(action: 'add' | 'del', index: number, range: VlanRange): Request {
  const flags = range.access ? VLAN_FLAG.pvid | VLAN_FLAG.untagged : 0
  const info = (vid: number, extra: number): Attr => [
    BRIDGE_VLAN_INFO,
    new Uint8Array([...u16(flags | extra), ...u16(vid)]),
  ]
  const single = range.min === range.max
  return {
    type: action === 'add' ? TYPE.setLink : TYPE.delLink,
    flags: FLAG.ack,
    header: header({ index, family: AF_BRIDGE }),
    attrs: [
      [
        IFLA.afSpec,
        single
          ? [info(range.min, 0)]
          : [info(range.min, VLAN_FLAG.rangeBegin), info(range.max, VLAN_FLAG.rangeEnd)],
      ],
    ],
  }
}

/** Reads the body of an RTM_NEWLINK. */
export function parseLink(body: Uint8Array): Link {
  const view = viewOf(body)
  const attrs = parseAttrs(body.subarray(16))
  const info = parseAttrs(attrs.get(IFLA.linkinfo) ?? new Uint8Array())
  const isPort = readText(info.get(INFO.slaveKind)) === 'bridge'
  const port = parseAttrs(isPort ? (info.get(INFO.slaveData) ?? new Uint8Array()) : new Uint8Array())
  const mac = attrs.get(IFLA.address)
  return {
    index: view.getInt32(4, true),
    name: readText(attrs.get(IFLA.name)) ?? '',
    flags: view.getUint32(8, true),
    mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
    mtu: readNumber(attrs.get(IFLA.mtu)) ?? 0,
    kind: readText(info.get(INFO.kind)),
    alias: readText(attrs.get(IFLA.alias)),
    master: readNumber(attrs.get(IFLA.master)),
    peer: readNumber(attrs.get(IFLA.link)),
    hairpin: readNumber(port.get(BRPORT.hairpin)) === 1,
    isolated: readNumber(port.get(BRPORT.isolated)) === 1,
  }
}
