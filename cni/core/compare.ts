import { type Cidr, formatCidr, sameIp } from '../../ipam/core/ip.ts'
import { routeText } from './command.ts'
import type { InterfaceAddress } from './netlink/address.ts'
import { formatFields } from './netlink/field.ts'
import { IFF } from './netlink/link-header.ts'
import type { Redirect } from './netlink/filter.ts'
import type { Link } from './netlink/link.ts'
import type { Qdisc } from './netlink/qdisc.ts'
import { type KernelRoute, MAIN_TABLE } from './netlink/route.ts'
import { chainsBehind } from './masquerade.ts'
import { elementScript, emptiedOf, type Owned, type OwnedElement, placeOf, sameOwner } from './table.ts'
import type { AddressStep, PortStep, RedirectStep, RulesStep, ShapeStep, Step, VethStep } from './step.ts'

/** One place as it was found. */
export interface ObservedSite {
  readonly links: readonly Link[]
  readonly addresses: readonly InterfaceAddress[]
}

/** What CHECK found in the kernel. */
export interface Observed {
  readonly host: ObservedSite
  readonly container: ObservedSite
  /** The container's routes; none is planned on the host. */
  readonly routes: readonly KernelRoute[]
  /** What the table has of the attachment's own. */
  readonly rules: readonly Owned[]
  /** How many rules each chain of the table has. */
  readonly ruleCounts: ReadonlyMap<string, number>
  /** The qdiscs and redirects of the interfaces that are shaped. */
  readonly qdiscs: readonly Qdisc[]
  readonly redirects: readonly Redirect[]
}

/**
 * What is missing of the planned steps, as sentences; empty when all is there. More than was planned is no difference:
 * plugins that come later in a chain add addresses, routes and settings of their own.
 */
export function compare(steps: readonly Step[], observed: Observed): string[] {
  return steps.flatMap(step => compareStep(step, observed) ?? [])
}

function compareStep(step: Step, observed: Observed): string | undefined {
  switch (step.kind) {
    case 'veth':
      return step.peer.place === 'container' ? compareVeth(step, observed) : undefined
    case 'port':
      return comparePort(step, observed)
    case 'up':
      return compareUp(observed[step.place], step)
    case 'address':
      return compareAddress(step, observed[step.place])
    case 'route':
      return compareRoute(step, observed)
    case 'rules':
      return compareRules(step, observed)
    case 'ifb':
      return find(observed.host, step.name)?.kind === 'ifb'
        ? undefined
        : `the ifb device "${step.name}" is gone`
    case 'shape':
      return compareShape(step, observed)
    case 'redirect':
      return compareRedirect(step, observed)
    // Made on the way, and nobody's business later: a bridge is checked as its ports' master.
    case 'bridge':
    case 'sysctl':
    case 'vlan':
    case 'fdb':
    case 'forward':
    case 'announce':
    case 'neighbour':
    case 'settle':
      return undefined
  }
}

const find = (site: ObservedSite, name: string): Link | undefined =>
  site.links.find(link => link.name === name)

function compareVeth(step: VethStep, { host, container }: Observed): string | undefined {
  const [port, peer, bridge] = [
    find(host, step.name),
    find(container, step.peer.name),
    find(host, step.bridge),
  ]
  if (bridge === undefined) return `the bridge "${step.bridge}" is gone`
  if (bridge.kind !== 'bridge') return `"${step.bridge}" is no bridge`
  if (port === undefined) return `the host veth "${step.name}" is gone`
  if (peer === undefined) return `the container has no interface "${step.peer.name}"`
  if (peer.kind !== 'veth' || peer.peer !== port.index)
    return `"${step.peer.name}" is not the other end of "${step.name}"`
  if (port.master !== bridge.index) return `"${step.name}" is not a port of the bridge "${step.bridge}"`
  if (peer.mac !== step.peer.mac) return `"${step.peer.name}" has the MAC ${peer.mac}, not ${step.peer.mac}`
  return undefined
}

function comparePort(step: PortStep, { host }: Observed): string | undefined {
  const port = find(host, step.name)
  if (port !== undefined && step.hairpin && !port.hairpin) return `hairpin mode is off on "${step.name}"`
  if (port !== undefined && step.isolated && !port.isolated) return `"${step.name}" is not isolated`
  return step.locked && port?.locked === false ? `"${step.name}" is not locked` : undefined
}

function compareUp(site: ObservedSite, { name, promisc }: Extract<Step, { kind: 'up' }>): string | undefined {
  const link = find(site, name)
  if (link !== undefined && (link.flags & IFF.up) === 0) return `"${name}" is down`
  return link !== undefined && promisc && (link.flags & IFF.promisc) === 0
    ? `"${name}" is not promiscuous`
    : undefined
}

function compareAddress(step: AddressStep, site: ObservedSite): string | undefined {
  const index = find(site, step.name)?.index
  if (index === undefined) return `the interface "${step.name}" is gone`
  const own = site.addresses.filter(address => address.index === index).map(address => address.cidr)
  // CHECK knows a gateway by its address alone: the result names no prefix for it.
  const isIt = (cidr: Cidr): boolean =>
    sameIp(cidr.ip, step.cidr.ip) && (step.place === 'host' || cidr.prefix === step.cidr.prefix)
  return own.some(isIt) ? undefined : `"${step.name}" has lost the address ${formatCidr(step.cidr)}`
}

function compareRoute(
  { route, name }: Extract<Step, { kind: 'route' }>,
  { container, routes }: Observed,
): string | undefined {
  const index = find(container, name)?.index
  const isIt = (found: KernelRoute): boolean =>
    found.dst.prefix === route.dst.prefix &&
    sameIp(found.dst.ip, route.dst.ip) &&
    found.index === index &&
    (route.gw === undefined || (found.gw !== undefined && sameIp(found.gw, route.gw))) &&
    found.table === (route.table ?? MAIN_TABLE)
  return routes.some(isIt) ? undefined : `the container has lost the route ${routeText(route)}`
}

/** The rate alone: a burst is shown as a time in 32 bits, which not every burst fits into. */
function compareShape({ name, bucket }: ShapeStep, { host, qdiscs }: Observed): string | undefined {
  const index = find(host, name)?.index
  const rate = qdiscs.find(qdisc => qdisc.index === index)?.rate
  if (rate === undefined) return `the rate of "${name}" is not limited`
  return rate === bucket.rate
    ? undefined
    : `the rate of "${name}" is limited to ${rate * 8} bit/s, not ${bucket.rate * 8}`
}

function compareRedirect({ name, ifb }: RedirectStep, { host, redirects }: Observed): string | undefined {
  const [from, to] = [find(host, name)?.index, find(host, ifb)?.index]
  return redirects.some(redirect => redirect.index === from && redirect.to === to)
    ? undefined
    : `what comes in through "${name}" is not redirected to "${ifb}"`
}

const RULE_WORDS = { masquerade: 'masquerade rule of', 'port-mappings': 'port mapping of' } as const

/** A masquerade is known by its place: in a result of mode `l3` no address tells its subnet, to whose chain it leads. */
const textOf = ({ purpose }: RulesStep, element: OwnedElement): string =>
  purpose === 'masquerade' ? placeOf(element) : elementScript([element])

function compareRules(step: RulesStep, { rules, ruleCounts }: Observed): string | undefined {
  const own = rules.filter(rule => sameOwner(rule.owner, step.owner))
  if (step.purpose === 'spoof-check') {
    return own.some(rule => rule.kind === 'chain')
      ? undefined
      : `the spoof check of "${step.owner.veth}" is gone`
  }
  const there = new Set(own.flatMap(thing => (thing.kind === 'element' ? [textOf(step, thing)] : [])))
  const lost = step.elements.find(element => !there.has(textOf(step, element)))
  if (lost !== undefined) return `the ${RULE_WORDS[step.purpose]} ${formatFields(lost.key)} is gone`
  const emptied = emptiedOf(step.purpose === 'masquerade' ? chainsBehind(own) : step.chains, ruleCounts)
  return emptied === undefined
    ? undefined
    : `the chain "${emptied.chain}" of table "inet podwire" has lost rules, which any ADD to this network puts back`
}
