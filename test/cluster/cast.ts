import { type Pod, startPods } from './pods.ts'
import type { Node, Stage } from './stage.ts'

/** What runs on each node for the tests to talk to and from. */
export interface Place {
  readonly node: Node
  readonly pod: Pod
  /** Another pod of the same node. */
  readonly twin: Pod
  /** A pod on the node's own network: what it reaches the node reaches. */
  readonly host: Pod
}

/** All places, in the order of the nodes. */
export type Cast = readonly Place[]

/** The port of each node that leads to its `pod`. */
export const HOST_PORT = 18080

/** Pods that a headless Service selects. */
export const PEERS = { peers: 'yes' }

/** Starts three pods on each node, or finds those that are there. */
export async function startCast(stage: Stage): Promise<Cast> {
  const places = stage.nodes.map(({ name: node }) => ({
    pod: { name: `pod-${node}`, node, labels: PEERS, hostPort: HOST_PORT },
    twin: { name: `twin-${node}`, node },
    host: { name: `host-${node}`, node, hostNetwork: true },
  }))
  const pods = await startPods(stage, places.flatMap(Object.values))
  return places.map(({ pod, twin, host }, i) => ({
    node: stage.nodes[i]!,
    pod: pods[pod.name]!,
    twin: pods[twin.name]!,
    host: pods[host.name]!,
  }))
}
