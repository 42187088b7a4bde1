import { formatIp, type Ip, parseIp } from '../../ipam/core/ip.ts'
import type { NetworkName } from '../spec/config.ts'
import type { Attachment } from '../spec/environment.ts'
import { CniError } from '../spec/error.ts'
import { isObject, type Json } from '../spec/read.ts'
import { type Mac, parseMac } from './mac.ts'
import { networkTag } from './names.ts'

/** A pod that this node's plugin has wired, as its ADD told: known before the API server hears of the address. */
export interface Attached {
  /** Of this attachment, which the DEL will name too: {@link attachmentId}. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  /** As the runtime knows it; empty when it does not tell. */
  readonly uid: string
  readonly addresses: readonly Ip[]
  /** The only MAC by which it can send; absent where its port takes any. */
  readonly mac?: Mac
}

/** `NETWORK/CONTAINERID/IFNAME`: a DEL for another network is about another attachment. */
export const attachmentId = (network: NetworkName, { containerId, ifname }: Attachment): string =>
  `${networkTag(network)}/${containerId}/${ifname}`

/** Whether an attachment is of this network. */
export const isIdOf = (network: NetworkName, id: string): boolean => id.startsWith(`${networkTag(network)}/`)

/** The file that remembers an attachment. */
export const fileOfId = (id: string): string => id.replaceAll('/', '@')

/** The reverse of {@link fileOfId}; undefined for a file of somebody else. An interface's name may have an `@` in it. */
export function idOfFile(file: string): string | undefined {
  const [, network, containerId, ifname] = /^([a-zA-Z0-9][^@]*)@([^@]+)@(.+)$/.exec(file) ?? []
  return ifname === undefined ? undefined : `${network}/${containerId}/${ifname}`
}

/**
 * The pod that CNI_ARGS names, as containerd and CRI-O do; undefined without a namespace: Podman gives the name of a
 * container alone.
 */
export function attachedPod(
  args: ReadonlyMap<string, string>,
  id: string,
  addresses: readonly Ip[],
  mac: Mac | undefined,
): Attached | undefined {
  const text = (key: string): string => args.get(`K8S_POD_${key}`) ?? ''
  const namespace = text('NAMESPACE')
  return namespace === ''
    ? undefined
    : { id, namespace, name: text('NAME'), uid: text('UID'), addresses, ...by(mac) }
}

const by = (mac: Mac | undefined): Pick<Attached, 'mac'> => (mac === undefined ? {} : { mac })

/** A DNS subdomain (RFC 1123), as the names of all objects of the API are: nothing that means something to nft or in a path. */
const NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

/** Whether an object of the API may have this name. */
export const isObjectName = (text: string): boolean => NAME.test(text)

/** Refuses a pod that no policy can mean: where policies are enforced, it would be open to everybody. */
export function refuseUnnamed({ namespace, name }: Attached): void {
  const [wrong] = Object.entries({ K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name }).filter(
    ([, value]) => !isObjectName(value),
  )
  if (wrong === undefined) return
  const [key, value] = wrong
  throw new CniError(
    'invalid-environment',
    `Cannot wire the pod of ${key}="${value.slice(0, 80)}" in CNI_ARGS: this node enforces NetworkPolicies, and none can mean a pod of this name; name it as Kubernetes does, with small letters, digits, "-" and "."`,
  )
}

/** The addresses of an attachment that none of these pods has as well: of a living one nothing may be taken. */
export function addressesOfOnly(id: string, pods: readonly Attached[]): readonly Ip[] {
  const others = pods.filter(pod => pod.id !== id)
  const held = new Set(others.flatMap(({ addresses }) => addresses.map(formatIp)))
  const own = pods.find(pod => pod.id === id)?.addresses ?? []
  return own.filter(ip => !held.has(formatIp(ip)))
}

/** An attached pod as text, for a file that its id names. */
export const formatAttached = ({ namespace, name, uid, addresses, mac }: Attached): string =>
  `${JSON.stringify({ namespace, name, uid, addresses: addresses.map(formatIp), mac })}\n`

/** The reverse of {@link formatAttached}; undefined for any other text. */
export function parseAttached(id: string, text: string): Attached | undefined {
  const { namespace, name, uid, addresses, mac: sender = '' } = parseObject(text)
  if (typeof namespace !== 'string' || typeof name !== 'string' || typeof uid !== 'string') return undefined
  if (!isObjectName(namespace) || !isObjectName(name) || !Array.isArray(addresses)) return undefined
  const ips = addresses.flatMap((address: Json) => (typeof address === 'string' && parseIp(address)) || [])
  const mac = typeof sender === 'string' ? parseMac(sender) : undefined
  if (ips.length !== addresses.length || (mac === undefined && sender !== '')) return undefined
  return { id, namespace, name, uid, addresses: ips, ...by(mac) }
}

function parseObject(text: string): Readonly<Record<string, Json | undefined>> {
  try {
    const json = JSON.parse(text) as Json
    return isObject(json) ? json : {}
  } catch {
    return {}
  }
}
