import type { Protocol } from '../../../cni/core/netlink/field.ts'
import type { Attached } from '../../../cni/core/pod.ts'
import type { Brand } from '../../../cni/spec/brand.ts'
import { type Cidr, type Ip, parseIp, sameIp } from '../../../ipam/core/ip.ts'
import { at, isPort, list, parseProtocol, readName, show, strings, text } from './json.ts'
import type { NetworkPolicy } from './network-policy.ts'

export type { Attached } from '../../../cni/core/pod.ts'

export type Labels = ReadonlyMap<string, string>

/** `NAMESPACE/NAME`. */
export type PodKey = Brand<string, 'PodKey'>
export const podKey = ({ namespace, name }: { readonly namespace: string; readonly name: string }): PodKey =>
  `${namespace}/${name}` as PodKey

/** A port of a container that policies may call by its name. */
export interface NamedPort {
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
}

/** What policies need of a Pod of core/v1. */
export interface Pod {
  readonly namespace: string
  readonly name: string
  /** What a runtime may call it: its uid and, for a static pod, the kubelet's own, which its mirror in the API has not. */
  readonly uids: readonly string[]
  readonly labels: Labels
  /** Its node; empty while there is none. */
  readonly node: string
  /**
   * Its own addresses; none before it is wired, none any more when it has ended (its node may give them to others), and
   * none on the host's network, where the addresses are the node's and no policy applies.
   */
  readonly addresses: readonly Ip[]
  readonly ports: readonly NamedPort[]
  /** RFC 3339: of two pods with one address, the younger has it. */
  readonly createdAt: string
  readonly hostNetwork: boolean
  /** What the object says that nobody can use, for the log. */
  readonly problems: readonly string[]
}

/** Reads a Pod. What makes no sense is left out and named in `problems`. Throws when it has no name. */
export function parsePod(json: unknown): Pod {
  const [metadata, spec, status] = [at(json, 'metadata'), at(json, 'spec'), at(json, 'status')]
  const problems: string[] = []
  const hostNetwork = at(spec, 'hostNetwork') === true
  const ended = ['Succeeded', 'Failed'].includes(text(at(status, 'phase')))
  return {
    namespace: readName(json, 'Pod', 'namespace'),
    name: readName(json, 'Pod'),
    uids: [
      text(at(metadata, 'uid')),
      text(at(at(metadata, 'annotations'), 'kubernetes.io/config.hash')),
    ].filter(uid => uid !== ''),
    labels: strings(at(metadata, 'labels')),
    node: text(at(spec, 'nodeName')),
    addresses: hostNetwork || ended ? [] : readAddresses(status, problems),
    ports: readPorts(spec, problems),
    createdAt: text(at(metadata, 'creationTimestamp')),
    hostNetwork,
    problems,
  }
}

/** `status.podIPs`, or the one of API servers from before dual stack. */
function readAddresses(status: unknown, problems: string[]): Ip[] {
  const several = list(at(status, 'podIPs')).map(entry => at(entry, 'ip'))
  const one = at(status, 'podIP')
  const entries = several.length > 0 || one === undefined || one === '' ? several : [one]
  const addresses = entries.flatMap(entry => {
    const ip = parseIp(text(entry))
    if (ip === undefined) problems.push(`pod IP ${show(entry)} is no address`)
    return ip ?? []
  })
  return addresses.filter((ip, i) => addresses.findIndex(other => sameIp(ip, other)) === i)
}

/** Ports of containers that run beside each other: an init container only if it stays, as a sidecar. */
function readPorts(spec: unknown, problems: string[]): NamedPort[] {
  const sidecars = list(at(spec, 'initContainers')).filter(each => at(each, 'restartPolicy') === 'Always')
  return [...list(at(spec, 'containers')), ...sidecars]
    .flatMap(container => list(at(container, 'ports')))
    .flatMap(entry => {
      const [name, port] = [text(at(entry, 'name')), at(entry, 'containerPort')]
      const protocol = parseProtocol(at(entry, 'protocol'))
      if (name === '') return []
      if (protocol !== undefined && isPort(port)) return { name, protocol, port }
      problems.push(`port ${show(entry)} has no proper number or protocol`)
      return []
    })
}

/** What policies need of a Namespace of core/v1. */
export interface Namespace {
  readonly name: string
  readonly labels: Labels
}

/** The label that the API server gives to every namespace since 1.21. */
const NAME_LABEL = 'kubernetes.io/metadata.name'

/** Reads a Namespace. Throws when it has no name. */
export function parseNamespace(json: unknown): Namespace {
  const name = readName(json, 'Namespace')
  const labels = strings(at(at(json, 'metadata'), 'labels'))
  return { name, labels: new Map([[NAME_LABEL, name], ...labels]) }
}

/** Whether an attachment is this pod's, and not one of the same name before or after it. */
export const isAttachedTo = (attached: Attached, pod: Pod): boolean =>
  podKey(attached) === podKey(pod) && (attached.uid === '' || pod.uids.includes(attached.uid))

/** Everything that decides about a packet. */
export interface Objects {
  readonly pods: readonly Pod[]
  readonly namespaces: readonly Namespace[]
  readonly policies: readonly NetworkPolicy[]
  /** Of all nodes. */
  readonly podCidrs: readonly Cidr[]
  /** In the order of their ADDs. */
  readonly attached: readonly Attached[]
}

/** Where the rules are to be, and what the user wants there. */
export interface Site {
  readonly node: string
  /** What to do with attached pods that the API server has not told about yet (`--policy-fail`). */
  readonly unknownPods: 'closed' | 'open'
}
