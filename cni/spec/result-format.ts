import { type Cidr, type Family, formatCidr, formatIp, IPV4, IPV6 } from '../../ipam/core/ip.ts'
import { present } from './present.ts'
import type { JsonObject } from './read.ts'
import type { Dns, Result, ResultInterface, ResultIp, Route } from './result.ts'
import { type CniVersion, isAtLeast } from './version.ts'

/**
 * A result as the JSON of a version of the specification (its section "Result types").
 * What the version has no place for is left out; nothing is refused.
 */
export function formatResult(result: Result, version: CniVersion): JsonObject {
  const body = isAtLeast(version, '0.3.0') ? formatLists(result, version) : formatFamilies(result)
  return present({ cniVersion: version, ...body, dns: formatDns(result.dns) })
}

/** 0.1.0 and 0.2.0: one address a family, its routes beside it. */
function formatFamilies(result: Result): JsonObject {
  return present({ ip4: formatFamily(result, IPV4), ip6: formatFamily(result, IPV6) })
}

function formatFamily(result: Result, family: Family): JsonObject | undefined {
  const of = (cidr: Cidr): boolean => cidr.ip.family === family
  const ip = result.ips.find(({ address }) => of(address))
  if (ip === undefined) return undefined
  return present({
    ip: formatCidr(ip.address),
    gateway: ip.gateway && formatIp(ip.gateway),
    routes: unlessEmpty(result.routes.filter(({ dst }) => of(dst)).map(formatHop)),
  })
}

/** From 0.3.0 on: lists, and addresses that point at their interface. */
function formatLists(result: Result, version: CniVersion): JsonObject {
  const newest = isAtLeast(version, '1.1.0')
  // A result without interfaces comes from an address plugin; its addresses have nothing to point at.
  const located = result.interfaces.length > 0
  return present({
    interfaces: unlessEmpty(result.interfaces.map(item => formatInterface(item, newest))),
    ips: unlessEmpty(result.ips.map(ip => formatResultIp(ip, located, !isAtLeast(version, '1.0.0')))),
    routes: unlessEmpty(result.routes.map(newest ? formatRoute : formatHop)),
  })
}

function formatInterface({ name, mac, mtu, sandbox }: ResultInterface, withMtu: boolean): JsonObject {
  return present({ name, mac, mtu: withMtu ? mtu : undefined, sandbox })
}

function formatResultIp(ip: ResultIp, located: boolean, withVersion: boolean): JsonObject {
  return present({
    version: withVersion ? String(ip.address.ip.family.version) : undefined,
    interface: located ? ip.interface : undefined,
    address: formatCidr(ip.address),
    gateway: ip.gateway && formatIp(ip.gateway),
  })
}

/** What every version knows of a route. */
function formatHop({ dst, gw }: Route): JsonObject {
  return present({ dst: formatCidr(dst), gw: gw && formatIp(gw) })
}

function formatRoute({ dst, gw, ...attributes }: Route): JsonObject {
  return { ...formatHop(present({ dst, gw })), ...present(attributes) }
}

function formatDns({ nameservers = [], domain, search = [], options = [] }: Dns): JsonObject | undefined {
  const dns = present({
    nameservers: unlessEmpty(nameservers),
    domain: domain === '' ? undefined : domain,
    search: unlessEmpty(search),
    options: unlessEmpty(options),
  })
  return Object.keys(dns).length === 0 ? undefined : dns
}

const unlessEmpty = <T>(list: readonly T[]): readonly T[] | undefined =>
  list.length === 0 ? undefined : list
