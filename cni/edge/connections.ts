import { setImmediate as nextTurn } from 'node:timers/promises'
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
import { dumpAside, netfilter } from './netfilter.ts'
import { readSysctl } from './sysctl.ts'

/**
 * For each choice the kernel walks through its whole table, 4 ms with 262,144 buckets, however many connections are in
 * it. In that time this process understands so many that it is told of unasked.
 */
const CONNECTIONS_PER_WALK = 700
/** After so many it is the others' turn; removing one takes some 10 µs. */
const REMOVED_AT_ONCE = 200

/** Makes the kernel forget all connections that these addresses have begun, or answer. */
export async function forgetConnections(addresses: readonly Ip[]): Promise<void> {
  await removeConnections(addresses, addresses, { isChosen: () => true })
}

/** Which connections to remove. */
export interface Removal {
  readonly isChosen: (connection: Connection) => boolean
  /** Done to those that were chosen before they are removed. */
  readonly before?: (chosen: readonly Connection[]) => void
}

/** Removes those connections that some addresses have begun, or others answer, and that are chosen; answers how many. */
export async function removeConnections(
  begunBy: readonly Ip[],
  answeredBy: readonly Ip[],
  removal: Removal,
): Promise<number> {
  const [sources, answerers] = [valuesOf(begunBy), valuesOf(answeredBy)]
  const [sourceTails, answererTails] = [begunBy, answeredBy].map(ips => new Set(ips.map(tailOf)))
  if (sources.size + answerers.size === 0) return 0
  const isOfThem = ({ original, reply }: Connection): boolean =>
    sources.has(original.source.value) || answerers.has(reply.source.value)
  return removeFound(searches(begunBy, answeredBy), body => mayBeOf(body, sourceTails!, answererTails!), {
    ...removal,
    isChosen: each => isOfThem(each) && removal.isChosen(each),
  })
}

/** Removes all connections that are chosen; answers how many. */
export const removeChosen = (isChosen: Removal['isChosen']): Promise<number> =>
  removeFound([EVERYTHING], () => true, { isChosen })

async function removeFound(
  asked: readonly Search[],
  mayBeChosen: (body: Uint8Array) => boolean,
  { isChosen, before }: Removal,
): Promise<number> {
  let removed = 0
  for (const [family, choice] of asked) {
    const chosen = await dumpAside(dumpConnections(family, choice), ({ body }) => {
      const connection = mayBeChosen(body) ? parseConnection(body) : undefined
      return connection !== undefined && isChosen(connection) ? connection : undefined
    })
    for (let at = 0; at < chosen.length; at += REMOVED_AT_ONCE) {
      // In between the loop of events goes on.
      if (at > 0) await nextTurn()
      const part = chosen.slice(at, at + REMOVED_AT_ONCE)
      before?.(part)
      remove(part)
    }
    removed += chosen.length
  }
  return removed
}

/** One that has ended meanwhile is gone as well. */
function remove(connections: readonly Connection[]): void {
  const netlink = netfilter()
  for (const connection of connections) netlink.find(deleteConnection(connection), 'ENOENT')
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
