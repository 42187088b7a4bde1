import { FAMILIES, type Family, type Ip, parseIp } from '../../ipam/core/ip.ts'
import { getLinkByIndex, parseLink } from '../core/netlink/link.ts'
import { type KernelRoute, MAIN_TABLE } from '../core/netlink/route.ts'
import { isErrno } from './netlink.ts'
import type { Site } from './site.ts'

/** Where what leads nowhere else leaves. */
export interface DefaultRoute {
  /** Its interface; of several hops the one with the smallest MTU. */
  readonly name: string
  /** Bytes that fit on every hop: the route's own `mtu`, else the interface's. */
  readonly mtu: number
}

/** The node's default route, IPv4's before IPv6's; undefined when it has none. Throws `netlink`. */
export function defaultRoute(host: Site): DefaultRoute | undefined {
  for (const family of FAMILIES) {
    const hops = hopsOf(host, family).flatMap(route => outlet(host, route) ?? [])
    const [narrowest] = hops.toSorted((a, b) => a.mtu - b.mtu)
    if (narrowest !== undefined) return narrowest
  }
  return undefined
}

/**
 * Addresses that hardly any route but the default one leads to: none is ever assigned (RFC 6890; 4000::/3 is not in
 * use), and the two of IPv4 lie far apart.
 */
const NOWHERE: Readonly<Record<Family['version'], readonly Ip[]>> = {
  4: ['0.0.0.1', '240.0.0.1'].flatMap(text => parseIp(text) ?? []),
  6: ['4000::1'].flatMap(text => parseIp(text) ?? []),
}

/**
 * The hops of the route that a packet to nowhere takes, which is the default route: a question of 0.1 ms, where the
 * whole table of a router takes half a second to list. Only a node with other routes to there has its table listed.
 */
function hopsOf(host: Site, family: Family): readonly KernelRoute[] {
  for (const ip of NOWHERE[family.version]) {
    const routes = host.routesTo(ip)
    if (routes === undefined) return []
    if (routes[0]?.dst.prefix === 0) return routes
  }
  return host.routes(family).filter(({ dst, table }) => dst.prefix === 0 && table === MAIN_TABLE)
}

/** Undefined when the interface is gone since. */
function outlet(host: Site, { index, mtu }: KernelRoute): DefaultRoute | undefined {
  if (index === undefined) return undefined
  try {
    const reply = host.netlink.request(getLinkByIndex(index))
    const link = reply && parseLink(reply.body)
    return link && { name: link.name, mtu: mtu ?? link.mtu }
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return undefined
    throw error
  }
}
