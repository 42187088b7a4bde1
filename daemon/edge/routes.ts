import { createRoute, delRoute, type KernelRoute, replaceRoute } from '../../cni/core/netlink/route.ts'
import { delAddress } from '../../cni/core/netlink/address.ts'
import { isErrno } from '../../cni/edge/netlink.ts'
import { Site } from '../../cni/edge/site.ts'
import { type Cidr, FAMILIES } from '../../ipam/core/ip.ts'
import type { RouteChange } from '../core/routes.ts'

/** What of the node's network the routes depend on. */
export interface RouteSight {
  /** All unicast routes, both families. */
  readonly routes: readonly KernelRoute[]
  /** The pods' bridge, when it is there. */
  readonly bridge: { readonly index: number; readonly addresses: readonly Cidr[] } | undefined
}

/** Looks at the node's routes and at its bridge. */
export function observeRoutes(bridge: string): RouteSight {
  using site = new Site()
  const link = site.link(bridge)
  return {
    routes: FAMILIES.flatMap(family => site.routes(family)),
    bridge: link && { index: link.index, addresses: site.addresses(link.name).map(address => address.cidr) },
  }
}

/** Carries out one change. A route that is gone already is removed. */
export function applyChange(site: Site, { kind, route }: RouteChange): void {
  try {
    site.netlink.request(REQUESTS[kind](route))
  } catch (error) {
    if (kind !== 'remove' || !isErrno(error, 'ESRCH')) throw error
  }
}

const REQUESTS = { create: createRoute, replace: replaceRoute, remove: delRoute } as const

/** Takes addresses off the bridge. */
export function removeAddresses(bridge: string, cidrs: readonly Cidr[]): void {
  using site = new Site()
  const index = site.index(bridge)
  for (const cidr of cidrs) site.netlink.request(delAddress(index, cidr))
}
