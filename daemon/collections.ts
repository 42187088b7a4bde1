import { parseNode } from './core/node.ts'
import { parseNetworkPolicy } from './core/policy/network-policy.ts'
import { parseNamespace, parsePod } from './core/policy/objects.ts'

/** A collection of the API server's: where it is, and what of its objects is needed. */
export interface Collection<T> {
  readonly path: string
  /** Throws for an object that nobody can use. */
  readonly parse: (object: unknown) => T
}

const collection = <T>(path: string, parse: (object: unknown) => T): Collection<T> => ({ path, parse })

export const NODES = collection('/api/v1/nodes', parseNode)
export const NAMESPACES = collection('/api/v1/namespaces', parseNamespace)
export const PODS = collection('/api/v1/pods', parsePod)
export const NETWORK_POLICIES = collection('/apis/networking.k8s.io/v1/networkpolicies', parseNetworkPolicy)
