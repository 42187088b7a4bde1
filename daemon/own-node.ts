import { formatCidr } from '../ipam/core/ip.ts'
import type { Cluster } from './core/cluster.ts'
import type { Log } from './core/log.ts'
import type { ClusterNode, NodeName } from './core/node.ts'
import { type Part, Waiting } from './reconcile.ts'

/** The Node object of the node that the daemon runs on: without its podCIDRs no pod can be wired. */
export class OwnNode implements Part {
  readonly name = 'node'
  readonly needs = []
  readonly #cluster: Cluster
  readonly #name: NodeName
  readonly #log: Log
  #isListed = false
  #podCidrs = ''

  constructor(cluster: Cluster, name: NodeName, log: Log) {
    this.#cluster = cluster
    this.#name = name
    this.#log = log
  }

  /** The API server has told of all nodes: until then nothing may be removed. */
  listed(): void {
    this.#isListed = true
  }

  /** The node with its podCIDRs; call it only in parts that need this one. */
  get node(): ClusterNode {
    return this.#cluster.node(this.#name)!
  }

  reconcile(): void {
    if (!this.#isListed) throw new Waiting('the API server has not listed the nodes yet')
    const node = this.#cluster.node(this.#name)
    if (node === undefined)
      throw new Waiting(
        `there is no Node "${this.#name}"; does --node-name say what the kubelet calls itself?`,
      )
    if (node.podCidrs.length === 0)
      throw new Waiting(
        `Node "${this.#name}" has no podCIDR; does kube-controller-manager run with --allocate-node-cidrs?`,
      )
    this.#announce(node.podCidrs.map(formatCidr).join(', '))
  }

  #announce(podCidrs: string): void {
    if (podCidrs === this.#podCidrs) return
    this.#podCidrs = podCidrs
    this.#log.info({ podCIDRs: podCidrs }, `Pods of this node get addresses from ${podCidrs}`)
  }
}
