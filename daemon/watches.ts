import { type Collection, NAMESPACES, NETWORK_POLICIES, NODES, PODS } from './collections.ts'
import type { Contact } from './contact.ts'
import type { Cluster, Touched } from './core/cluster.ts'
import type { Log } from './core/log.ts'
import type { ClusterNode, NodeName } from './core/node.ts'
import type { Api } from './edge/kubernetes.ts'
import type { Metrics } from './edge/metrics.ts'
import type { Heard, Hearing } from './policy/heard.ts'
import type { OwnNode } from './own-node.ts'
import type { Loop } from './reconcile.ts'
import { watch } from './watch.ts'

/** What {@link watchAll} goes by. */
export interface WatchesOptions {
  readonly api: Api
  readonly hearing: { readonly nodes: Hearing<ClusterNode>; readonly policy: Heard }
  readonly contact: Contact
  readonly metrics: Metrics
  readonly log: Log
  readonly now: () => number
}

/** Follows everything that the daemon needs of the API server, until the signal. */
export async function watchAll(
  { api, hearing: { nodes, policy }, contact, metrics, log, now }: WatchesOptions,
  signal: AbortSignal,
): Promise<void> {
  const follow = <T>({ path, parse }: Collection<T>, hearing: Hearing<T>): Promise<void> => {
    const sink = {
      ...hearing,
      heard: () => contact.heard(path),
      failed: (error: unknown, retryInMs: number) => {
        contact.failed(path, error, retryInMs)
        metrics.failed('api')
      },
    }
    return watch({ api, path, parse, sink, log, now }, signal)
  }
  await Promise.all([
    follow(NODES, nodes),
    follow(NAMESPACES, policy.namespaces),
    follow(PODS, policy.pods),
    follow(NETWORK_POLICIES, policy.policies),
  ])
}

/** Takes what the API server tells into the cluster, and has the loop put right what it touches. */
export function hearNodes({ cluster, nodeName, loop, own }: HearingNodes): Hearing<ClusterNode> {
  const tell = (name: NodeName, touched: Touched): void => {
    if (name === nodeName && touched.podCidrs.size + touched.addresses.size > 0) loop.everything()
    else loop.touched(touched)
  }
  return {
    synced: nodes => {
      cluster.replace(nodes)
      own.listed()
      loop.everything()
    },
    changed: node => tell(node.name, cluster.set(node)),
    deleted: ({ name }) => tell(name, cluster.delete(name)),
  }
}

/** What {@link hearNodes} tells. */
export interface HearingNodes {
  readonly cluster: Cluster
  readonly nodeName: NodeName
  readonly loop: Loop
  readonly own: OwnNode
}
