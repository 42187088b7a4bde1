import {
  addTo,
  type Cidr,
  type Family,
  FAMILIES,
  formatCidr,
  type Ip,
  networkOf,
} from '../../ipam/core/ip.ts'
import { CniError } from '../spec/error.ts'
import type { Result, ResultIp, Route } from '../spec/result.ts'
import type { PluginConfig } from './config.ts'

/** The address plugin's answer with gateways and routes completed as the config asks. */
export function completeGateways(config: PluginConfig, ipam: Result): Result {
  const ips = ipam.ips.map(ip => (config.isGateway ? { ...ip, gateway: gatewayOf(ip) } : ip))
  const wanted = config.isDefaultGateway ? defaultRoutes(ips, ipam.routes) : []
  return { ...ipam, ips, routes: [...ipam.routes, ...wanted] }
}

/** The gateway of an address: the one it came with, else the first address of its network. */
function gatewayOf(ip: ResultIp): Ip {
  const gateway = ip.gateway ?? addTo(networkOf(ip.address).ip, 1n)
  if (gateway !== undefined) return gateway
  throw new CniError(
    'invalid-config',
    `Cannot derive a gateway for ${formatCidr(ip.address)}: its network has no room for one; set "gateway" in the range`,
  )
}

/** A default route for each family that has an address and no default route yet. */
function defaultRoutes(ips: readonly ResultIp[], routes: readonly Route[]): Route[] {
  return FAMILIES.flatMap(family => {
    const gw = gatewayFor(family, ips)
    const has = routes.some(route => route.dst.ip.family === family && route.dst.prefix === 0)
    return gw === undefined || has ? [] : [{ dst: { ip: { family, value: 0n }, prefix: 0 }, gw }]
  })
}

/** The gateway of a family: the first that an address of it has. */
export function gatewayFor(family: Family, ips: readonly ResultIp[]): Ip | undefined {
  return ips.find(ip => ip.address.ip.family === family && ip.gateway !== undefined)?.gateway
}

/** The gateways as addresses of the bridge: each once, with its network's prefix length. */
export function bridgeAddresses(ips: readonly ResultIp[]): Cidr[] {
  const all = ips.flatMap(ip =>
    ip.gateway === undefined ? [] : [{ ip: ip.gateway, prefix: ip.address.prefix }],
  )
  return uniqueBy(all, formatCidr)
}

/** The first of each set of equals. */
export function uniqueBy<T>(items: readonly T[], key: (item: T) => string): T[] {
  return items.filter((item, i) => items.findIndex(other => key(other) === key(item)) === i)
}
