import { type Family, type Ip, IPV4, IPV6 } from '../../ipam/core/ip.ts'
import {
  type Choice,
  type Connection,
  deleteConnection,
  dumpConnections,
  mayBeOf,
  parseConnection,
  tailOf,
} from '../core/netlink/conntrack.ts'
import { dumpAside, unlessAbsent } from './netfilter.ts'
import { readSysctl } from './sysctl.ts'

/**
 * For each choice the kernel walks through its whole table, 4 ms with 262,144 buckets, however many connections are in
 * it. In that time this process understands so many that it is told of unasked.
 */
const CONNECTIONS_PER_WALK = 700

/** Makes the kernel forget all connections that these addresses have begun, or answer. */
export async function forgetConnections(addresses: readonly Ip[]): Promise<void> {
  await removeConnections(addresses, addresses, () => true)
}

/** Removes those connections that some addresses have begun, or others answer, and that are chosen; answers how many. */
export async function removeConnections(
  begunBy: readonly Ip[],
  answeredBy: readonly Ip[],
  isChosen: (connection: Connection) => boolean,
): Promise<number> {
  const [sources, answerers] = [valuesOf(begunBy), valuesOf(answeredBy)]
  const [sourceTails, answererTails] = [begunBy, answeredBy].map(ips => new Set(ips.map(tailOf)))
  if (sources.size + answerers.size === 0) return 0
  const isOfThem = ({ original, reply }: Connection): boolean =>
    sources.has(original.source.value) || answerers.has(reply.source.value)
  return removeFound(
    searches(begunBy, answeredBy),
    body => mayBeOf(body, sourceTails!, answererTails!),
    each => isOfThem(each) && isChosen(each),
  )
}

/** Removes all connections that are chosen; answers how many. */
export const removeChosen = (isChosen: (connection: Connection) => boolean): Promise<number> =>
  removeFound([EVERYTHING], () => true, isChosen)

async function removeFound(
  asked: readonly Search[],
  mayBeChosen: (body: Uint8Array) => boolean,
  isChosen: (connection: Connection) => boolean,
): Promise<number> {
  let removed = 0
  for (const [family, choice] of asked) {
    // Each is removed when it is heard of: the loop of events goes on between the parts of a list.
    await dumpAside(dumpConnections(family, choice), ({ body }) => {
      const connection = mayBeChosen(body) ? parseConnection(body) : undefined
      if (connection === undefined || !isChosen(connection)) return undefined
      unlessAbsent(netlink => netlink.request(deleteConnection(connection)))
      removed += 1
      return undefined
    })
  }
  return removed
}

/** Addresses of both families: the few of IPv6 that could be taken for IPv4's (::10.1.0.1) are nobody's. */
const valuesOf = (ips: readonly Ip[]): ReadonlySet<bigint> => new Set(ips.map(({ value }) => value))

/**
 * What the kernel is asked for: all that it has, where that takes it less time. By an address of IPv6 it chooses the
 * wrong ones, those that have another (6.18, net/netfilter/nf_conntrack_netlink.c), so there it tells of all anyway.
 */
function searches(begunBy: readonly Ip[], answeredBy: readonly Ip[]): Search[] {
  const choices = [
    ...begunBy.map((ip): Search => [ip.family, { originalSource: ip }]),
    ...answeredBy.map((ip): Search => [ip.family, { replySource: ip }]),
  ]
  const connections = Number(readSysctl('net/netfilter/nf_conntrack_count') ?? 0)
  if (connections <= (choices.length - 1) * CONNECTIONS_PER_WALK) return [EVERYTHING]
  const chosen = choices.filter(([family]) => family === IPV4)
  return chosen.length < choices.length ? [...chosen, [IPV6, {}]] : chosen
}

type Search = readonly [Family | undefined, Choice]
const EVERYTHING: Search = [undefined, {}]
