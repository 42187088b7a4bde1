import type { ControlPlane } from './control-plane.ts'
import { forEach } from './crowd.ts'
import { nodeObject, type Place } from './node-object.ts'
import {
  labelsOf,
  NAMESPACES,
  podName,
  podNamespace,
  podNetwork,
  podObject,
  PODS,
  statusAt,
} from './pod-object.ts'
import { extraPolicy, namespaceObject, type PolicyObject, policyObjects } from './policy-object.ts'

/** All pods are on the daemon's node. */
export const NODES = 1

const pathOf = (place: Place): string => `${podsIn(podNamespace(place))}/${podName(place)}`
const podsIn = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`
const policiesIn = (namespace: string): string =>
  `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`

/** The node, the namespaces, pods and policies of a cluster, as far as the API server can tell: nothing runs. */
export class PodCrowd {
  readonly #plane: ControlPlane

  constructor(plane: ControlPlane) {
    this.#plane = plane
  }

  async gather(): Promise<void> {
    const spec = { podCIDR: podNetwork(0), podCIDRs: [podNetwork(0)] }
    await this.#plane.send('POST', '/api/v1/nodes', { ...nodeObject(0), spec })
    await forEach(NAMESPACES, index => this.#plane.send('POST', '/api/v1/namespaces', namespaceObject(index)))
    const policies = policyObjects()
    await forEach(policies.length, index => this.#addPolicy(policies[index]!))
    await forEach(PODS, async place => {
      await this.create(place)
      await this.start(place)
    })
  }

  /** As a scheduler leaves it: bound to the node, and without an address. */
  create(place: Place): Promise<string> {
    return this.#plane.send('POST', podsIn(podNamespace(place)), podObject(place, NODES))
  }

  /** The kubelet says that it runs, and at which address. */
  start(place: Place): Promise<string> {
    return this.#plane.send('PATCH', `${pathOf(place)}/status`, { status: statusAt(place, NODES) })
  }

  /** Makes it a pod of another app. */
  relabel(place: Place, app: string): Promise<string> {
    return this.#plane.send('PATCH', pathOf(place), { metadata: { labels: labelsOf(place, app) } })
  }

  remove(place: Place): Promise<string> {
    return this.#plane.send('DELETE', `${pathOf(place)}?gracePeriodSeconds=0`)
  }

  addExtra(round: number): Promise<string> {
    return this.#addPolicy(extraPolicy(round))
  }

  removeExtra(round: number): Promise<string> {
    const { namespace, name } = extraPolicy(round).metadata
    return this.#plane.send('DELETE', `${policiesIn(namespace)}/${name}`)
  }

  #addPolicy(policy: PolicyObject): Promise<string> {
    return this.#plane.send('POST', policiesIn(policy.metadata.namespace), policy)
  }
}
