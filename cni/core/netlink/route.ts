import {
  bytesOf,
  type Cidr,
  FAMILIES,
  type Family,
  fromBytes,
  type Ip,
  IPV4,
  networkOf,
} from '../../../ipam/core/ip.ts'
import { type Attr, concat, parseAttrs, readNumber, u16, u32, viewOf } from './attr.ts'
import { FLAG, type Request, TYPE } from './message.ts'

// include/uapi/linux/rtnetlink.h
const RTA = { dst: 1, oif: 4, gateway: 5, priority: 6, metrics: 8, multipath: 9, table: 15, via: 18 } as const
const RTAX = { mtu: 2, advmss: 8 } as const
/** RTM_F_LOOKUP_TABLE (the kernel names the route's table; IPv6 always does) and RTM_F_FIB_MATCH. */
const LOOKUP_TABLE = 0x1000
const FIB_MATCH = 0x2000
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

/** struct rtmsg of a family; what is not named is 0. */
function rtmsg(
  family: Family,
  fields: Partial<Record<'prefix' | 'table' | 'protocol' | 'scope' | 'type' | 'flags', number>>,
) {
  const { prefix = 0, table = 0, protocol = 0, scope = 0, type = 0, flags = 0 } = fields
  const tableByte = table < 256 ? table : 0
  return Uint8Array.of(family.af, prefix, 0, 0, tableByte, protocol, scope, type, ...u32(flags))
}

const header = ({ dst, table, scope, protocol = PROTOCOL_BOOT }: KernelRoute): Uint8Array =>
  rtmsg(dst.ip.family, { prefix: dst.prefix, table, protocol, scope, type: UNICAST })

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
    ...(route.gw === undefined ? [] : [gatewayOf(route.gw, route.dst.ip.family)]),
    ...number(RTA.priority, route.priority),
    ...(metrics.length > 0 ? [[RTA.metrics, metrics] as const] : []),
  ]
}

/** A gateway may be of the other family: `via inet6 fe80::1`, a struct rtvia. */
const gatewayOf = (gw: Ip, family: Family): Attr =>
  gw.family === family ? [RTA.gateway, bytesOf(gw)] : [RTA.via, concat([u16(gw.family.af), bytesOf(gw)])]

const number = (type: number, value: number | undefined): Attr[] =>
  value === undefined ? [] : [[type, u32(value)]]

/** `ip route show table all` of one family. */
export const dumpRoutes = (family: Family): Request => ({
  type: TYPE.getRoute,
  flags: FLAG.dump,
  header: rtmsg(family, {}),
  attrs: [],
})

/**
 * `ip route get fibmatch IP`: the route that a packet of this node to an address takes, as the table has it. Fails
 * with ENETUNREACH where none leads there.
 */
export const getRoute = (ip: Ip): Request => ({
  type: TYPE.getRoute,
  flags: 0,
  header: rtmsg(ip.family, {
    prefix: ip.family.bits,
    flags: FIB_MATCH | (ip.family === IPV4 ? LOOKUP_TABLE : 0),
  }),
  attrs: [[RTA.dst, bytesOf(ip)]],
})

/**
 * Reads the body of an RTM_NEWROUTE. A route of several hops (multipath) is a route for each, which is how one adds
 * them; none for one that is not unicast or of a family that is not ours.
 */
export function parseRoute(body: Uint8Array): KernelRoute[] {
  const view = viewOf(body)
  const family = familyOf(view.getUint8(0))
  if (family === undefined || view.getUint8(7) !== UNICAST) return []
  const attrs = parseAttrs(body.subarray(12))
  const dst = attrs.get(RTA.dst)
  const metrics = parseAttrs(attrs.get(RTA.metrics) ?? NONE)
  const route = {
    dst: { ip: dst === undefined ? { family, value: 0n } : fromBytes(family, dst), prefix: view.getUint8(1) },
    table: readNumber(attrs.get(RTA.table)) ?? view.getUint8(4),
    scope: view.getUint8(6),
    priority: readNumber(attrs.get(RTA.priority)),
    protocol: view.getUint8(5),
    mtu: readNumber(metrics.get(RTAX.mtu)),
    advmss: readNumber(metrics.get(RTAX.advmss)),
  }
  const hops = hopList(attrs.get(RTA.multipath) ?? NONE)
  const only = { index: readNumber(attrs.get(RTA.oif)), attrs }
  return (hops.length > 0 ? hops : [only]).map(hop => ({
    ...route,
    index: hop.index,
    gw: gatewayIn(family, hop.attrs),
  }))
}

const NONE = new Uint8Array()
const familyOf = (af: number): Family | undefined => FAMILIES.find(family => family.af === af)

/** A hop's gateway. */
function gatewayIn(family: Family, attrs: ReadonlyMap<number, Uint8Array>): Ip | undefined {
  const gateway = attrs.get(RTA.gateway)
  if (gateway !== undefined) return fromBytes(family, gateway)
  const via = attrs.get(RTA.via)
  const other = familyOf(readNumber(via?.subarray(0, 2)) ?? 0)
  return via === undefined || other === undefined ? undefined : fromBytes(other, via.subarray(2))
}

/** The hops of RTA_MULTIPATH, each a struct rtnexthop and its attributes; stops at the first that does not fit. */
function hopList(bytes: Uint8Array): { index: number; attrs: ReadonlyMap<number, Uint8Array> }[] {
  const view = viewOf(bytes)
  const hops = []
  for (let at = 0; at + 8 <= bytes.length;) {
    const length = view.getUint16(at, true)
    if (length < 8 || at + length > bytes.length) break
    hops.push({ index: view.getUint32(at + 4, true), attrs: parseAttrs(bytes.subarray(at + 8, at + length)) })
    at += (length + 3) & ~3
  }
  return hops
}
