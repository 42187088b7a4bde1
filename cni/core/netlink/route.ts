import {
  bytesOf,
  type Cidr,
  FAMILIES,
  type Family,
  fromBytes,
  type Ip,
  networkOf,
} from '../../../ipam/core/ip.ts'
import { type Attr, parseAttrs, readNumber, u32, viewOf } from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/rtnetlink.h
const RTA = { dst: 1, oif: 4, gateway: 5, priority: 6, metrics: 8, table: 15 } as const
const RTAX = { mtu: 2, advmss: 8 } as const
/** The table that `ip route` shows when no other is named. */
export const MAIN_TABLE = 254
/** Who made a route, where nobody says so: `ip route` calls it `boot`. */
const PROTOCOL_BOOT = 3
const UNICAST = 1
/** RT_SCOPE_NOWHERE: in a removal it stands for any scope. */
const ANY_SCOPE = 255

/** Route scopes: anywhere, or on this link only. */
export const SCOPE = { universe: 0, link: 253 } as const

/** A unicast route as the kernel keeps it. */
export interface KernelRoute {
  readonly dst: Cidr
  readonly gw: Ip | undefined
  /** Index of the interface it leaves through. */
  readonly index: number | undefined
  readonly table: number
  readonly scope: number
  readonly priority: number | undefined
  /** Who made it (rtm_protocol); undefined for `boot`. */
  readonly protocol?: number | undefined
  /** Bytes; undefined for the interface's own. */
  readonly mtu?: number | undefined
  readonly advmss?: number | undefined
}

/** struct rtmsg. */
function header({ dst, table, scope, protocol = PROTOCOL_BOOT }: KernelRoute): Uint8Array {
  const tableByte = table < 256 ? table : 0
  return Uint8Array.of(dst.ip.family.af, dst.prefix, 0, 0, tableByte, protocol, scope, UNICAST, 0, 0, 0, 0)
}

/** `ip route append DST [via GW] dev INDEX ...`: equal routes stand beside each other, as the reference adds them. */
export const addRoute = (route: KernelRoute): Request => put(route, FLAG.append)

/** `ip route add DST via GW ...`; fails with EEXIST where there is a route to DST of the same priority. */
export const createRoute = (route: KernelRoute): Request => put(route, FLAG.exclusive)

/** `ip route replace DST via GW ...`: in place of the route to DST of the same priority, whoever made that. */
export const replaceRoute = (route: KernelRoute): Request => put(route, FLAG.replace)

const put = (route: KernelRoute, how: number): Request => ({
  type: TYPE.newRoute,
  flags: FLAG.ack | FLAG.create | how,
  header: header(route),
  attrs: attrsOf(route),
})

/** `ip route del DST via GW proto PROTOCOL ...`; fails with ESRCH when there is none that has all of it. */
export const delRoute = (route: KernelRoute): Request => ({
  type: TYPE.delRoute,
  flags: FLAG.ack,
  header: header({ ...route, scope: ANY_SCOPE }),
  attrs: attrsOf(route),
})

function attrsOf(route: KernelRoute): Attr[] {
  const metrics: Attr[] = [...number(RTAX.mtu, route.mtu), ...number(RTAX.advmss, route.advmss)]
  return [
    [RTA.dst, bytesOf(networkOf(route.dst).ip)],
    ...number(RTA.oif, route.index),
    [RTA.table, u32(route.table)],
    ...(route.gw === undefined ? [] : [[RTA.gateway, bytesOf(route.gw)] as const]),
    ...number(RTA.priority, route.priority),
    ...(metrics.length > 0 ? [[RTA.metrics, metrics] as const] : []),
  ]
}

const number = (type: number, value: number | undefined): Attr[] =>
  value === undefined ? [] : [[type, u32(value)]]

/** `ip route show table all` of one family. */
export const dumpRoutes = (family: Family): Request => ({
  type: TYPE.getRoute,
  flags: FLAG.dump,
  header: Uint8Array.of(family.af, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
  attrs: [],
})

/** Reads the body of an RTM_NEWROUTE; undefined for one that is not unicast or of a family that is not ours. */
export function parseRoute(body: Uint8Array): KernelRoute | undefined {
  const view = viewOf(body)
  const family = FAMILIES.find(f => f.af === view.getUint8(0))
  if (family === undefined || view.getUint8(7) !== UNICAST) return undefined
  const attrs = parseAttrs(body.subarray(12))
  const address = (type: number): Ip | undefined => {
    const bytes = attrs.get(type)
    return bytes === undefined ? undefined : fromBytes(family, bytes)
  }
  return {
    dst: { ip: address(RTA.dst) ?? { family, value: 0n }, prefix: view.getUint8(1) },
    gw: address(RTA.gateway),
    index: readNumber(attrs.get(RTA.oif)),
    table: readNumber(attrs.get(RTA.table)) ?? view.getUint8(4),
    scope: view.getUint8(6),
    priority: readNumber(attrs.get(RTA.priority)),
    protocol: view.getUint8(5),
  }
}
