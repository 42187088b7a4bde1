import { PROTOCOLS } from '../../../cni/core/netlink/field.ts'
import { formatIp, type Ip } from '../../../ipam/core/ip.ts'
import { countersSet, SIDES } from './base.ts'
import { type DroppedPacket, ICMP } from './dropped-packet.ts'
import type { Direction } from './network-policy.ts'
import type { PodKey } from './objects.ts'
import type { RuleSet } from './rule-set.ts'

/** What is known when a packet was dropped. */
export interface Around {
  readonly rules: RuleSet
  /** Whose an address is, by its text. */
  readonly podAt: (address: string) => PodKey | undefined
}

/** A line of the log: named fields, and a sentence that needs none of them. */
export interface Line {
  readonly fields: Readonly<Record<string, string | number | undefined>>
  readonly message: string
}

/**
 * Tells people of a dropped packet: which pod is isolated, and who wanted what. The fields `namespace` and `pod` are
 * undefined when the pod has gone since, `peer` when the other end is no pod, or none that is known.
 */
export function dropLine(packet: DroppedPacket, { rules, podAt }: Around): Line {
  const { direction, sourcePort, destinationPort, icmpType } = packet
  const midstream = midstreamEnd(packet, rules)
  const own = midstream ?? END[SIDES[direction].pod]
  const [address, other] = [packet[own], packet[OTHER[own]]].map(formatIp)
  const [pod, peer] = [podAt(address!), podAt(other!)]
  const [namespace, name] = pod?.split('/') ?? []
  const reason = midstream === undefined ? WORDS[direction] : 'of no known connection of'
  const end = (side: End, port?: number): string =>
    formatEnd(packet[side], port) + (side === own || peer === undefined ? '' : ` (${peer})`)
  const ends = `${end('source', sourcePort)} > ${end('destination', destinationPort)}`
  return {
    fields: {
      direction,
      namespace,
      pod: name,
      peer,
      source: formatIp(packet.source),
      sourcePort,
      destination: formatIp(packet.destination),
      destinationPort,
      protocol: protocolName(packet),
      icmpType,
    },
    message: `Dropped by NetworkPolicy: ${reason} ${pod ?? address}: ${formatProtocol(packet)} ${ends}`,
  }
}

type End = 'source' | 'destination'
const END = { saddr: 'source', daddr: 'destination' } as const
const OTHER = { source: 'destination', destination: 'source' } as const
const WORDS: Readonly<Record<Direction, string>> = { ingress: 'ingress to', egress: 'egress from' }

/** The end that policy-midstream found isolated, which looks at the source first; undefined when it found none. */
const midstreamEnd = (packet: DroppedPacket, { sets }: RuleSet): End | undefined =>
  packet.isMidstream === true
    ? (['source', 'destination'] as const).find(end =>
        sets.get(countersSet(packet.direction, packet[end].family))?.elements.has(formatIp(packet[end])),
      )
    : undefined

const NAMES = new Map<number, string>([
  [ICMP.v4, 'icmp'],
  [ICMP.v6, 'icmpv6'],
  ...Object.entries(PROTOCOLS).map(([name, number]) => [number, name] as const),
])

const protocolName = ({ protocol }: DroppedPacket): string => NAMES.get(protocol) ?? `${protocol}`

const formatProtocol = (packet: DroppedPacket): string => {
  const name = protocolName(packet)
  if (!NAMES.has(packet.protocol)) return `protocol ${name}`
  return packet.icmpType === undefined ? name : `${name} type ${packet.icmpType}`
}

function formatEnd(ip: Ip, port: number | undefined): string {
  const text = formatIp(ip)
  if (port === undefined) return text
  return ip.family.version === 6 ? `[${text}]:${port}` : `${text}:${port}`
}
