import { macFromBytes } from '../../cni/core/mac.ts'
import type { Wish } from '../../daemon/core/policy/compile.ts'
import { parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import {
  type Attached,
  type Objects,
  parseNamespace,
  parsePod,
  type Pod,
} from '../../daemon/core/policy/objects.ts'
import { bytesOf, parseCidr } from '../../ipam/core/ip.ts'
import { nodeName } from './node-object.ts'
import { NAMESPACES, podNetwork, podObject, PODS } from './pod-object.ts'
import { namespaceObject, policyObjects } from './policy-object.ts'

/** The daemon's node is the one with place 0. */
export const WISH: Wish = { node: nodeName(0), unknownPods: 'closed', log: false }

/** The cluster as the daemon has it in memory, its pods on so many nodes; those of its own node are wired. */
export function clusterOf(nodes: number): Objects {
  const pods = Array.from({ length: PODS }, (_, place) => parsePod(podObject(place, nodes)))
  return {
    pods,
    namespaces: Array.from({ length: NAMESPACES }, (_, index) => parseNamespace(namespaceObject(index))),
    policies: policyObjects().map(parseNetworkPolicy),
    podCidrs: Array.from({ length: nodes }, (_, node) => parseCidr(podNetwork(node))!),
    attached: pods.filter(({ node }) => node === WISH.node).map(pod => attachmentOf(pod)),
  }
}

/** A pod as its ADD has told of it; the MAC is its own as its address is, unless told. */
export const attachmentOf = (
  { namespace, name, addresses }: Pod,
  mac = macFromBytes(Uint8Array.of(0x0a, 0, ...bytesOf(addresses[0]!))),
): Attached => ({ id: `bench/${name}/eth0`, namespace, name, uid: '', addresses, mac })
