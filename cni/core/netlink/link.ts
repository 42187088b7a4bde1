import { type Mac, macBytes, macFromBytes } from '../mac.ts'
import { type Attr, encodeAttrs, parseAttrs, readNumber, readText, text, u32, u8, viewOf } from './attr.ts'
import { BRPORT, IFLA, INFO, IFF, linkHeader } from './link-header.ts'
import { FLAG, type Request, TYPE } from './message.ts'

const BRIDGE = { vlanFiltering: 7 } as const
const VETH_INFO_PEER = 1

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
  /** Undefined for no port, and where the kernel knows no such thing (before 5.18). */
  readonly locked: boolean | undefined
  /** For a bridge: whether it keeps VLANs apart. */
  readonly vlanFiltering: boolean
}

/** `ip link show NAME` */
export const getLink = (name: string): Request => ({
  type: TYPE.getLink,
  flags: 0,
  header: linkHeader({}),
  attrs: [[IFLA.name, text(name)]],
})

/** `ip link show` for a link by its index. */
export const getLinkByIndex = (index: number): Request => ({
  type: TYPE.getLink,
  flags: 0,
  header: linkHeader({ index }),
  attrs: [],
})

/** `ip link show`, or with `master` `ip link show master BRIDGE`. */
export const dumpLinks = (master?: number): Request => ({
  type: TYPE.getLink,
  flags: FLAG.dump,
  header: linkHeader({}),
  attrs: master === undefined ? [] : [[IFLA.master, u32(master)]],
})

/** `ip link add NAME type bridge [mtu MTU] [vlan_filtering 1]` */
export function addBridge(name: string, mtu: number | undefined, vlanFiltering: boolean): Request {
  const data: Attr[] = vlanFiltering ? [[BRIDGE.vlanFiltering, u8(1)]] : []
  return {
    type: TYPE.newLink,
    flags: FLAG.ack | FLAG.create | FLAG.exclusive,
    header: linkHeader({}),
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
  const peerInfo = new Uint8Array([...linkHeader({}), ...encodeAttrs([...end(peer), ...inNetns])])
  return {
    type: TYPE.newLink,
    flags: FLAG.ack | FLAG.create | FLAG.exclusive,
    header: linkHeader({}),
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

/** `ip link add NAME address MAC mtu MTU type ifb` */
export const addIfb = (name: string, mac: Mac, mtu: number): Request => ({
  type: TYPE.newLink,
  flags: FLAG.ack | FLAG.create | FLAG.exclusive,
  header: linkHeader({}),
  attrs: [
    [IFLA.address, macBytes(mac)],
    [IFLA.mtu, u32(mtu)],
    [IFLA.name, text(name)],
    [IFLA.linkinfo, [[INFO.kind, text('ifb')]]],
  ],
})

/** `ip link del NAME` */
export const delLink = (name: string): Request => ({
  type: TYPE.delLink,
  flags: FLAG.ack,
  header: linkHeader({}),
  attrs: [[IFLA.name, text(name)]],
})

/** `ip link del group N` */
export const delLinkGroup = (group: number): Request => ({
  type: TYPE.delLink,
  flags: FLAG.ack,
  header: linkHeader({}),
  attrs: [[IFLA.group, u32(group)]],
})

/** What {@link setLink} can change. */
export interface LinkChange {
  readonly up?: boolean
  readonly promisc?: boolean
  readonly mac?: Mac
  readonly alias?: string
  /** Links of one group can be deleted by one request. */
  readonly group?: number
}

/** `ip link set NAME [up] [promisc on] [address MAC] [alias TEXT] [group N]` */
export function setLink(name: string, change: LinkChange): Request {
  const wanted = (change.up === true ? IFF.up : 0) | (change.promisc === true ? IFF.promisc : 0)
  return {
    type: TYPE.setLink,
    flags: FLAG.ack,
    header: linkHeader({ flags: wanted }),
    attrs: [
      [IFLA.name, text(name)],
      ...(change.mac === undefined ? [] : [[IFLA.address, macBytes(change.mac)] as const]),
      ...(change.alias === undefined ? [] : [[IFLA.alias, text(change.alias)] as const]),
      ...(change.group === undefined ? [] : [[IFLA.group, u32(change.group)] as const]),
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
  const isBridge = readText(info.get(INFO.kind)) === 'bridge'
  const bridge = parseAttrs(isBridge ? (info.get(INFO.data) ?? new Uint8Array()) : new Uint8Array())
  const mac = attrs.get(IFLA.address)
  const locked = readNumber(port.get(BRPORT.locked))
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
    locked: locked === undefined ? undefined : locked === 1,
    vlanFiltering: readNumber(bridge.get(BRIDGE.vlanFiltering)) === 1,
  }
}
