import { dumpAddresses, type InterfaceAddress, parseAddress } from '../core/netlink/address.ts'
import { delLink, dumpLinks, getLink, type Link, parseLink } from '../core/netlink/link.ts'
import { dumpFilters, parseRedirects, type Redirect } from '../core/netlink/filter.ts'
import { getRootQdisc, parseQdisc, type Qdisc } from '../core/netlink/qdisc.ts'
import { dumpNeighbours, type Neighbour, parseNeighbour } from '../core/netlink/neighbour.ts'
import { dumpRoutes, getRoute, type KernelRoute, parseRoute } from '../core/netlink/route.ts'
import { parseSettings, type Settings, UNSET } from '../core/netlink/settings.ts'
import type { Place } from '../core/step.ts'
import type { Family, Ip } from '../../ipam/core/ip.ts'
import { CniError } from '../spec/error.ts'
import { isErrno, Netlink, NetlinkError } from './netlink.ts'
import type { Netns } from './netns.ts'

/** One namespace, as netlink shows it. */
export class Site implements Disposable {
  readonly netlink: Netlink
  readonly #indexes = new Map<string, number>()

  constructor(netlink: Netlink = new Netlink()) {
    this.netlink = netlink
  }

  /** `ip link show NAME`; undefined when there is none. */
  link(name: string): Link | undefined {
    const reply = this.netlink.find(getLink(name), 'ENODEV')
    return reply && parseLink(reply.body)
  }

  /** The settings of a link; unset when it is gone. */
  settings(name: string): Settings {
    const reply = this.netlink.find(getLink(name), 'ENODEV')
    return reply === undefined ? UNSET : parseSettings(reply.body)
  }

  /** The index of a link that is there, remembered: names do not move while a call is at work. */
  index(name: string): number {
    const index = this.#indexes.get(name) ?? this.link(name)?.index
    if (index === undefined)
      throw new CniError('try-again', `Cannot find the interface "${name}": it is gone; try again`)
    this.#indexes.set(name, index)
    return index
  }

  /** `ip link show [master BRIDGE]` */
  links(master?: number): Link[] {
    const links = this.netlink.dump(dumpLinks(master)).map(reply => parseLink(reply.body))
    return master === undefined ? links : links.filter(link => link.master === master)
  }

  /** `ip address show dev NAME` */
  addresses(name: string): InterfaceAddress[] {
    const index = this.index(name)
    const all = this.netlink.dump(dumpAddresses(index)).map(reply => parseAddress(reply.body))
    return all.filter(address => address?.index === index) as InterfaceAddress[]
  }

  /** `ip neighbour show dev INDEX`, those whose MAC is known. */
  neighbours(index: number): Neighbour[] {
    const all = this.netlink.dump(dumpNeighbours(index)).map(reply => parseNeighbour(reply.body))
    return all.filter(neighbour => neighbour?.index === index) as Neighbour[]
  }

  /** `ip route show table all` of a family, unicast only; a route of several hops is one for each. */
  routes(family: Family): KernelRoute[] {
    return this.netlink.dump(dumpRoutes(family)).flatMap(reply => parseRoute(reply.body))
  }

  /**
   * `ip route get fibmatch IP`: the hops of the route to an address; none when it is no unicast route (a blackhole),
   * undefined when no route leads there.
   */
  routesTo(ip: Ip): KernelRoute[] | undefined {
    try {
      const reply = this.netlink.request(getRoute(ip))
      return reply === undefined ? [] : parseRoute(reply.body)
    } catch (error) {
      if (isErrno(error, 'ENETUNREACH')) return undefined
      // Each kind of route that drops has an errno of its own.
      if (error instanceof NetlinkError) return []
      throw error
    }
  }

  /** `tc qdisc show dev NAME root`; undefined without the link, or when it has none but the kernel's own. */
  rootQdisc(name: string): Qdisc | undefined {
    const index = this.link(name)?.index
    if (index === undefined) return undefined
    const reply = this.netlink.find(getRootQdisc(index), 'ENOENT')
    return reply && parseQdisc(reply.body)
  }

  /** `tc filter show dev NAME parent ffff:`: where what comes in is redirected to. */
  redirects(name: string): Redirect[] {
    const index = this.link(name)?.index
    if (index === undefined) return []
    return this.netlink.dump(dumpFilters(index)).flatMap(reply => parseRedirects(reply.body))
  }

  [Symbol.dispose](): void {
    this.netlink[Symbol.dispose]()
  }
}

/** `ip link del NAME` on the node, at once. Throws the kernel's refusal. */
export async function removeLink(name: string): Promise<void> {
  using host = new Site()
  host.netlink.request(delLink(name))
}

/** The two places an attachment is made of. */
export interface Sites {
  readonly host: Site
  readonly container: Site
  readonly netns: Netns
}

/** The site that a step's place names. */
export const siteOf = (sites: Sites, place: Place): Site => (place === 'host' ? sites.host : sites.container)
