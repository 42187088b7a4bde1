import { parseMac } from '../../cni/core/mac.ts'
import { type NetworkPolicy, parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import {
  type Attached,
  type Namespace,
  type Objects,
  parseNamespace,
  parsePod,
  type Pod,
} from '../../daemon/core/policy/objects.ts'
import { ip } from './result.ts'

type Fields = Readonly<Record<string, unknown>>

const metadata = (key: string, more: Fields): Fields => {
  const [namespace, name] = key.split('/')
  return { namespace, name, ...more }
}

/** A pod `NAMESPACE/NAME` on node n1, running, with these addresses and labels. */
export const pod = (
  key: string,
  ips: readonly string[],
  labels: Readonly<Record<string, string>> = {},
  more: { readonly metadata?: Fields; readonly spec?: Fields; readonly status?: Fields } = {},
): Pod =>
  parsePod({
    metadata: metadata(key, { uid: `uid of ${key}`, labels, ...more.metadata }),
    spec: { nodeName: 'n1', ...more.spec },
    status: { phase: 'Running', podIPs: ips.map(each => ({ ip: each })), ...more.status },
  })

/** The `spec` of a pod with these ports: `http:8080/TCP`. */
export const ports = (...all: readonly string[]): Fields => ({
  containers: [
    {
      ports: all.map(each => {
        const [, name, port, protocol] = /^(\S*):(\d+)\/(\w+)$/.exec(each)!
        return { name, containerPort: Number(port), protocol }
      }),
    },
  ],
})

/** A policy `NAMESPACE/NAME`. */
export const policy = (key: string, spec: Fields): NetworkPolicy =>
  parseNetworkPolicy({ metadata: metadata(key, {}), spec })

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): Namespace =>
  parseNamespace({ metadata: { name, labels } })

/** An attachment of a pod `NAMESPACE/NAME` on this node. */
export const attachment = (
  id: string,
  key: string,
  addresses: readonly string[],
  uid = `uid of ${key}`,
): Attached => {
  const [name, own] = key.split('/')
  return { id, namespace: name!, name: own!, uid, addresses: addresses.map(ip) }
}

/** The same of a pod that can send by one MAC alone. */
export const lockedAttachment = (
  mac: string,
  ...[id, key, addresses]: readonly [id: string, key: string, addresses: readonly string[]]
): Attached => ({ ...attachment(id, key, addresses), mac: parseMac(mac)! })

/** A cluster of these objects, and of nothing else. */
export const cluster = (some: Partial<Objects>): Objects => ({
  pods: [],
  namespaces: [],
  policies: [],
  podCidrs: [],
  attached: [],
  ...some,
})
