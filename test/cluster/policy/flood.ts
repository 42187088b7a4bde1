import { addTo, formatIp, parseIp } from '../../../ipam/core/ip.ts'
import type { Stage } from '../stage.ts'
import { inProber, PORTS, PROBER, type Prober } from './prober.ts'

/** How often a flood sends to each target, in milliseconds. */
const PAUSE_MS = 10
/** How many addresses ahead a flood goes: more pods than a test starts at once on a node. */
const AHEAD = 8

const HELD = '/run/podwire/ipam/podwire'
const CURSORS = `${HELD}/last_reserved_ip`

/** What sends first packets, UDP and TCP, without an end. */
export const floodOf = (addresses: readonly string[]): string => {
  const targets = addresses.flatMap(address =>
    ['udp', 'tcp'].map(protocol => `${protocol}:${PORTS[0]}:${address}`),
  )
  return `${PROBER} flood ${PAUSE_MS} ${targets.join(' ')} >/dev/null 2>&1 </dev/null &`
}

/** Does something while probers flood addresses. */
export async function whileFlooded<T>(
  stage: Stage,
  senders: readonly Prober[],
  addresses: readonly string[],
  job: () => Promise<T>,
): Promise<T> {
  await using started = new AsyncDisposableStack()
  for (const sender of senders) {
    const pid = await inProber(stage, sender, `${floodOf(addresses)} echo $!`)
    started.defer(async () => void (await inProber(stage, sender, `kill ${pid}`)))
  }
  return await job()
}

/** The addresses that the next pods of a node get: an address that was given back rests as long as possible. */
export async function nextAddresses(stage: Stage, node: string): Promise<string[]> {
  const last = await Promise.all(stage.families.map((_, i) => stage.inNode(node, `cat ${CURSORS}.${i}`)))
  return last.flatMap(text =>
    Array.from({ length: AHEAD }, (_, i) => formatIp(addTo(parseIp(text.trim())!, BigInt(i + 1))!)),
  )
}

/** Whether nobody on a node holds any of these addresses; a pod's object goes before its network does. */
export async function areFree(stage: Stage, node: string, addresses: readonly string[]): Promise<boolean> {
  const said = await stage.inNode(
    node,
    `cd ${HELD} && ls -d ${addresses.join(' ')} 2>/dev/null || true; echo`,
  )
  return said.trim() === ''
}

/** Has a node give these addresses, one of each family, to its next pod. */
export async function giveNext(stage: Stage, node: string, addresses: readonly string[]): Promise<void> {
  for (const [i, address] of addresses.entries()) {
    const before = formatIp(addTo(parseIp(address)!, -1n)!)
    await stage.inNode(node, `printf %s ${before} >${CURSORS}.${i}`)
  }
}

/** What has come into a pod since it has a network, whether or not anybody listened: the kernel's own counters. */
export interface Arrivals {
  /** TCP segments of both families. */
  readonly tcp: number
  /** UDP datagrams that were heard, and those that came when nobody listened. */
  readonly udp: number
  readonly unheard: number
}

export async function arrivals(stage: Stage, prober: Prober): Promise<Arrivals> {
  const said = await inProber(stage, prober, 'cat /proc/net/snmp /proc/net/snmp6')
  const counters = parseCounters(said)
  const sum = (...names: readonly string[]): number =>
    names.reduce((total, name) => total + (counters.get(name) ?? 0), 0)
  return {
    tcp: sum('TcpInSegs'),
    udp: sum('UdpInDatagrams', 'Udp6InDatagrams', 'UdpInErrors', 'Udp6InErrors'),
    unheard: sum('UdpNoPorts', 'Udp6NoPorts'),
  }
}

/** snmp has two lines for each protocol, names and values; snmp6 one for each counter. */
function parseCounters(text: string): Map<string, number> {
  const rows = text.split('\n').map(line => line.split(/\s+/))
  const pairs = rows.flatMap((names, i): [string, number][] => {
    if (!names[0]!.endsWith(':')) return [[names[0]!, Number(names[1])]]
    const values = rows[i + 1]!
    const isOfNames = names[0] === values[0] && !/^\d/.test(names[1]!)
    return isOfNames
      ? names.slice(1).map((name, j) => [names[0]!.slice(0, -1) + name, Number(values[j + 1])])
      : []
  })
  return new Map(pairs)
}
