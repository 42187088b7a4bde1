import { FAMILIES, formatIp, type Ip, sameIp } from '../../../../ipam/core/ip.ts'
import type { ClusterNode } from '../../node.ts'
import type { Packet } from '../evaluate.ts'
import type { NetworkPolicy } from '../network-policy.ts'
import type { Namespace, Pod } from '../objects.ts'
import type { Place, Question, Target } from './question.ts'

/** What the API server tells. */
export interface Told {
  readonly pods: readonly Pod[]
  readonly namespaces: readonly Namespace[]
  readonly policies: readonly NetworkPolicy[]
  readonly nodes: readonly ClusterNode[]
}

/** One end of a connection, with what is known of it. */
export interface End {
  /** The pod that was asked for. */
  readonly pod?: Pod
  /** The node whose own address this is: of its processes, and of pods on the host's network. */
  readonly node?: string
  readonly addresses: readonly Ip[]
}

/** The packet that is asked about, in one family. */
export interface Case {
  readonly source: End
  readonly destination: End
  readonly packet: Packet
}

/** The packets that a question is about: one for each family that both ends have. Throws a sentence for people. */
export function casesOf({ from, to }: Question, told: Told): Case[] {
  const [source, destination] = [endAt(from, told), endAt(to.place, told)]
  const port = portOf(to, destination)
  const cases = FAMILIES.flatMap((family): Case[] => {
    const [first, second] = [source, destination].map(end => end.addresses.find(ip => ip.family === family))
    if (first === undefined || second === undefined) return []
    const packet = {
      source: first,
      destination: second,
      protocol: to.protocol,
      port,
      ...(source.node === undefined ? {} : { sender: source.node }),
      ...(destination.node === undefined ? {} : { receiver: destination.node }),
    }
    return [{ source, destination, packet }]
  })
  if (cases.length > 0) return cases
  const has = (place: Place, end: End): string => `${nameOf(place)} has ${texts(end.addresses)}`
  throw new Error(
    `Cannot judge: ${has(from, source)}, and ${has(to.place, destination)}: of no family do both have one`,
  )
}

const texts = (addresses: readonly Ip[]): string => addresses.map(formatIp).join(', ')

const nameOf = (place: Place): string =>
  place.kind === 'pod' ? `${place.namespace}/${place.name}` : formatIp(place.ip)

function endAt(place: Place, told: Told): End {
  if (place.kind === 'pod') return podEnd(findPod(place, told), told)
  const node = told.nodes.find(({ addresses }) => addresses.some(ip => sameIp(ip, place.ip)))
  return { addresses: [place.ip], ...(node === undefined ? {} : { node: node.name }) }
}

/** A pod on the host's network has the addresses of its node, and no policy knows it by other ones. */
function podEnd(pod: Pod, { nodes }: Told): End {
  const node = pod.hostNetwork ? nodes.find(({ name }) => name === pod.node) : undefined
  const addresses = node?.addresses ?? pod.addresses
  if (addresses.length > 0) return { pod, addresses, ...(node === undefined ? {} : { node: node.name }) }
  throw new Error(
    `Cannot judge ${pod.namespace}/${pod.name}: it has no address, because it is not wired yet or has ended; see "kubectl get pods -o wide"`,
  )
}

function findPod({ namespace, name }: Place & { readonly kind: 'pod' }, told: Told): Pod {
  const neighbours = told.pods.filter(pod => pod.namespace === namespace)
  const pod = neighbours.find(each => each.name === name)
  if (pod !== undefined) return pod
  const namespaces = told.namespaces.map(each => each.name)
  const there = namespaces.includes(namespace)
    ? `namespace "${namespace}" has ${nearest(
        name,
        neighbours.map(each => each.name),
        'no pods',
      )}`
    : `there is no namespace "${namespace}", but ${nearest(namespace, namespaces, 'none at all')}`
  throw new Error(`Cannot find pod ${namespace}/${name}: ${there}`)
}

/** So many of what there is are named in an error. */
const MENTIONED = 5

/** Names, and first those that begin like the one that was meant. */
function nearest(meant: string, names: readonly string[], none: string): string {
  if (names.length === 0) return none
  const sorted = names.toSorted().toSorted((a, b) => common(meant, b) - common(meant, a))
  const more = names.length > MENTIONED ? ` and ${names.length - MENTIONED} more` : ''
  return sorted.slice(0, MENTIONED).join(', ') + more
}

/** How many characters two texts begin with alike. */
function common(one: string, other: string): number {
  let length = 0
  while (length < one.length && one[length] === other[length]) length += 1
  return length
}

function portOf({ place, port, protocol }: Target, { pod }: End): number {
  if (typeof port === 'number') return port
  if (pod === undefined)
    throw new Error(
      `Cannot find port "${port}" of ${nameOf(place)}: an address has no names for ports; give a number`,
    )
  const found = pod.ports.find(each => each.name === port && each.protocol === protocol)
  if (found !== undefined) return found.port
  const names = pod.ports.map(each => `${each.name}/${each.protocol.toUpperCase()}`)
  throw new Error(
    `Cannot find port "${port}/${protocol.toUpperCase()}" of ${nameOf(place)}: it has ${nearest(port, names, 'no ports with names')}`,
  )
}
