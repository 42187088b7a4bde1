import type { Wish } from '../../daemon/core/policy/compile.ts'
import { parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import { type Objects, parseNamespace, parsePod } from '../../daemon/core/policy/objects.ts'
import { parseCidr } from '../../ipam/core/ip.ts'
import { nodeName } from './node-object.ts'
import { NAMESPACES, podNetwork, podObject, PODS } from './pod-object.ts'
import { namespaceObject, policyObjects } from './policy-object.ts'

/** The daemon's node is the one with place 0. */
export const WISH: Wish = { node: nodeName(0), unknownPods: 'closed', log: false }

/** The cluster as the daemon has it in memory, its pods on so many nodes. */
export const clusterOf = (nodes: number): Objects => ({
  pods: Array.from({ length: PODS }, (_, place) => parsePod(podObject(place, nodes))),
  namespaces: Array.from({ length: NAMESPACES }, (_, index) => parseNamespace(namespaceObject(index))),
  policies: policyObjects().map(parseNetworkPolicy),
  podCidrs: Array.from({ length: nodes }, (_, node) => parseCidr(podNetwork(node))!),
  attached: [],
})
