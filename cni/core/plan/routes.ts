import { type Cidr, formatCidr, networkOf } from '../../../ipam/core/ip.ts'
import type { ResultIp, Route } from '../../spec/result.ts'
import { gatewayFor, uniqueBy } from '../gateway.ts'
import type { Wish } from './wish.ts'
import type { Step } from '../step.ts'

/** The container's routes: in `l3` the way to the gateway and through it to the subnet, then those that were asked for. */
export function routeSteps({ config, attachment, result }: Wish): Step[] {
  const name = attachment.ifname
  const asked = result.routes.map(
    route => ({ kind: 'route', name, route: withGateway(route, result.ips), onLink: false }) as const,
  )
  return [...(config.mode === 'l3' ? gatewayRoutes(name, result.ips) : []), ...asked]
}

/** The route with its next hop: its own, else the family's gateway. */
export function withGateway(route: Route, ips: readonly ResultIp[]): Route {
  const gw = route.gw ?? gatewayFor(route.dst.ip.family, ips)
  return gw === undefined || (route.scope !== undefined && route.scope >= 253) ? route : { ...route, gw }
}

function gatewayRoutes(name: Wish['attachment']['ifname'], ips: readonly ResultIp[]): Step[] {
  const routes = ips.flatMap(({ address, gateway }) =>
    gateway === undefined
      ? []
      : [
          { route: { dst: { ip: gateway, prefix: gateway.family.bits } }, onLink: true },
          // An address alone does not tell its subnet: so it is when CHECK plans from an earlier result.
          ...(isHost(address) ? [] : [{ route: { dst: networkOf(address), gw: gateway }, onLink: false }]),
        ],
  )
  return uniqueBy(routes, ({ route }) => formatCidr(route.dst)).map(route => ({
    kind: 'route',
    name,
    ...route,
  }))
}

const isHost = (cidr: Cidr): boolean => cidr.prefix === cidr.ip.family.bits
