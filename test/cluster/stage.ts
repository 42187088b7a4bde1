import { until } from '../conformance/until.ts'
import type { Cluster, Families, Version } from './cluster.ts'

/** Addresses, at most one of each family. */
export type Addresses = Readonly<Partial<Record<Version, string>>>

/** A node of the cluster under test. */
export interface Node {
  readonly name: string
  readonly addresses: Addresses
}

/** The label of Podwire's own pods. */
export const PODWIRE = ['--namespace=kube-system', '--selector=app.kubernetes.io/name=podwire']

/** How long the cluster may take for what it does by itself: start pods, tell of changes. */
const CLUSTER_MS = 90_000

/** What Kubernetes says of a node or pod, as far as the tests look. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test looks into it freely
export type Resource = any

/** Which family an address is of. */
export const versionOf = (address: string): Version => (address.includes(':') ? 6 : 4)

export const byVersion = (addresses: readonly string[]): Addresses =>
  Object.fromEntries(addresses.map(address => [versionOf(address), address]))

/** The cluster under test, and what the tests of all topics need of it. */
export class Stage {
  readonly cluster: Cluster
  readonly families: Families
  readonly nodes: readonly Node[]
  readonly outside: Addresses

  constructor(cluster: Cluster, families: Families, nodes: readonly Node[], outside: Addresses) {
    this.cluster = cluster
    this.families = families
    this.nodes = nodes
    this.outside = outside
  }

  /** The cluster's nodes are known from the moment that they have registered. */
  static async of(cluster: Cluster, families: Families): Promise<Stage> {
    const { items } = JSON.parse(await cluster.kubectl(['get', 'nodes', '--output=json']))
    const nodes = items.map(({ metadata, status }: Resource) => {
      const internal = status.addresses.filter(({ type }: Resource) => type === 'InternalIP')
      return { name: metadata.name, addresses: byVersion(internal.map(({ address }: Resource) => address)) }
    })
    nodes.sort((a: Node, b: Node) => (a.name < b.name ? -1 : 1))
    return new Stage(cluster, families, nodes, await cluster.outsideAddresses())
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return this.cluster.kubectl(args)
  }

  /** Applies objects, or a manifest's text. */
  async apply(manifest: string | readonly object[]): Promise<void> {
    const text =
      typeof manifest === 'string'
        ? manifest
        : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifest })
    await this.cluster.kubectl(['apply', '--filename=-'], text)
  }

  /** What the API server has: the objects of a list, or one object by its name. */
  async get(...args: readonly string[]): Promise<Resource> {
    const got = JSON.parse(await this.kubectl('get', '--output=json', ...args))
    return got.kind === 'List' ? got.items : got
  }

  /** Waits until `kubectl wait` has seen the condition of all that the words after it select. */
  async wait(condition: string, ...selected: readonly string[]): Promise<void> {
    await this.kubectl('wait', `--for=${condition}`, `--timeout=${CLUSTER_MS / 1000}s`, ...selected)
  }

  /** Asks until the answer is true, as long as the cluster may take. */
  until<T>(what: string, ask: () => Promise<T | false>): Promise<T> {
    return until(what, ask, { deadline: CLUSTER_MS, pause: 200 })
  }

  /** Runs a shell script on a node. */
  inNode(node: string, script: string): Promise<string> {
    return this.cluster.inNode(node, ['sh', '-c', script])
  }

  /** Does the same on each node; answers by the nodes' names. */
  async onEachNode<T>(job: (node: string) => Promise<T>): Promise<Record<string, T>> {
    const all = await Promise.all(this.nodes.map(async ({ name }) => [name, await job(name)] as const))
    return Object.fromEntries(all)
  }
}
