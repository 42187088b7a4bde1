import { type Ip, parseIp } from '../../ipam/core/ip.ts'
import { CniError } from '../spec/error.ts'
import type { Reader } from '../spec/read.ts'
import { type Protocol, PROTOCOLS } from './netlink/field.ts'

/** A port of the node that leads to one of the container's. */
export interface PortMapping {
  readonly protocol: Protocol
  readonly hostPort: number
  readonly containerPort: number
  /** The node's address that it is for; undefined for all, of both families. */
  readonly hostIp: Ip | undefined
}

/**
 * Reads `runtimeConfig.portMappings` (CNI CONVENTIONS.md, "portMappings"); absent or null is none. containerd writes the
 * keys with capitals, as a Go program may, and mappings without a port of the node. Throws `invalid-config`.
 */
export function parsePortMappings(keys: Reader): PortMapping[] {
  const items = keys.object('runtimeConfig').objects('portMappings') ?? []
  const mappings = items.flatMap(item => readMapping(item.inAnyCase()) ?? [])
  const byPlace = new Map<string, PortMapping>()
  for (const mapping of mappings) {
    const place = `${mapping.protocol} ${mapping.hostPort} ${mapping.hostIp?.family.word} ${mapping.hostIp?.value}`
    const { containerPort } = byPlace.get(place) ?? mapping
    if (containerPort !== mapping.containerPort) throw twice(mapping, containerPort)
    byPlace.set(place, mapping)
  }
  return [...byPlace.values()]
}

function readMapping(item: Reader): PortMapping | undefined {
  const hostPort = item.integer('hostPort', 0, 65535) ?? 0
  if (hostPort === 0) return undefined
  const containerPort = item.integer('containerPort', 1, 65535)
  if (containerPort === undefined)
    throw unusable(item.path('containerPort'), 'it is missing; name the port that the container listens at')
  return { protocol: readProtocol(item), hostPort, containerPort, hostIp: readHostIp(item) }
}

function readProtocol(item: Reader): Protocol {
  const given = item.string('protocol') || 'tcp'
  const name = given.toLowerCase()
  if (isProtocol(name)) return name
  throw unusable(item.path('protocol'), `"${given.slice(0, 40)}"; it is "tcp", "udp" or "sctp"`)
}

const isProtocol = (name: string): name is Protocol => Object.hasOwn(PROTOCOLS, name)

function readHostIp(item: Reader): Ip | undefined {
  const text = item.string('hostIP') || undefined
  if (text === undefined) return undefined
  const ip = parseIp(text)
  if (ip === undefined)
    throw unusable(
      item.path('hostIP'),
      `"${text.slice(0, 60)}"; it is an address of the node, or empty for all`,
    )
  return ip.value === 0n ? undefined : ip
}

const unusable = (path: string, state: string): CniError =>
  new CniError('invalid-config', `Cannot use "${path}": ${state}`)

const twice = ({ protocol, hostPort }: PortMapping, other: number): CniError =>
  new CniError(
    'invalid-config',
    `Cannot use "runtimeConfig.portMappings": ${protocol} port ${hostPort} of the node leads to port ${other} of the container already; give each port of the node once`,
  )
