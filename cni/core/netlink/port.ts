import { type Attr, u16, u8 } from './attr.ts'
import { AF_BRIDGE, BRPORT, IFLA, linkHeader } from './link-header.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/if_bridge.h
const BRIDGE_VLAN_INFO = 2
const VLAN_FLAG = { pvid: 2, untagged: 4, rangeBegin: 8, rangeEnd: 16 } as const
const STATE_FORWARDING = 3

/** What {@link setPort} can change. */
export interface PortChange {
  readonly hairpin: boolean
  readonly isolated: boolean
  /** Whether only the MACs that the bridge is told of are behind it; a port that is locked stays so. */
  readonly locked?: boolean
}

/**
 * `bridge link set dev PORT hairpin on|off isolated on|off [learning off flood off locked on]`. A kernel before 5.18
 * locks no port, and does not say so.
 */
export const setPort = (index: number, { hairpin, isolated, locked = false }: PortChange): Request =>
  portRequest(index, [
    [BRPORT.hairpin, u8(hairpin ? 1 : 0)],
    // Nothing to learn, and nobody there whom the bridge does not know.
    ...(locked ? [BRPORT.flood, BRPORT.learning].map(key => [key, u8(0)] as const) : []),
    [BRPORT.isolated, u8(isolated ? 1 : 0)],
    ...(locked ? [[BRPORT.locked, u8(1)] as const] : []),
  ])

/** `bridge link set dev PORT state 3`: forward now, without waiting for the kernel to notice the carrier. */
export const setForwarding = (index: number): Request =>
  portRequest(index, [[BRPORT.state, u8(STATE_FORWARDING)]])

const portRequest = (index: number, port: readonly Attr[]): Request => ({
  type: TYPE.setLink,
  flags: FLAG.ack,
  header: linkHeader({ index, family: AF_BRIDGE }),
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
    header: linkHeader({ index, family: AF_BRIDGE }),
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
