import type { Resource, Stage } from '../stage.ts'
import { makeProber, makeNamespace, nameOf, type Prober, type ProberOptions, startProbers } from './prober.ts'

/*
 * Nine pods in three namespaces on two nodes, such that every namespace is on both nodes, and every kind of pod. And a pod on
 * each node's own network, to call as the node does; it has a label that policies select.
 *
 *           node A          node B
 *   shop    web, job        db
 *   lab     db              web, job
 *   ops     web, job        db
 */

const NAMESPACES = {
  shop: { team: 'sales', env: 'prod' },
  lab: { team: 'research' },
  ops: { team: 'platform', env: 'prod' },
} as const

const LABELS = {
  web: { app: 'web', tier: 'front' },
  db: { app: 'db', tier: 'back' },
  job: { app: 'job' },
} as const

const PLACES: Readonly<Record<keyof typeof NAMESPACES, readonly (keyof typeof LABELS)[][]>> = {
  shop: [['web', 'job'], ['db']],
  lab: [['db'], ['web', 'job']],
  ops: [['web', 'job'], ['db']],
}

/** Pods do not agree about what their ports are called. */
const NAMED = {
  web: [
    { name: 'main', port: 7001, protocol: 'TCP' },
    { name: 'side', port: 7002, protocol: 'TCP' },
    { name: 'talk', port: 7001, protocol: 'UDP' },
  ],
  db: [
    { name: 'main', port: 7002, protocol: 'TCP' },
    { name: 'talk', port: 7002, protocol: 'UDP' },
  ],
  job: [{ name: 'side', port: 7001, protocol: 'TCP' }],
} as const

/** Lists the pods of a node that any policy isolates. */
const ISOLATED = 'nft list set inet podwire policy-self4'

/** Everything that the tests of policies talk to and from. */
export class Scene {
  readonly stage: Stage
  /** The program that probers run, for namespaces that come later. */
  readonly program: Buffer
  /** The nodes that have pods: A and B. */
  readonly nodes: readonly [string, string]
  /** The podCIDRs of all nodes, by their names. */
  readonly podCidrs: Readonly<Record<string, readonly string[]>>
  readonly probers: readonly Prober[]

  private constructor(made: Pick<Scene, 'stage' | 'program' | 'nodes' | 'podCidrs' | 'probers'>) {
    this.stage = made.stage
    this.program = made.program
    this.nodes = made.nodes
    this.podCidrs = made.podCidrs
    this.probers = made.probers
  }

  static async start(stage: Stage): Promise<Scene> {
    const program = await makeProber()
    const nodes = [stage.nodes[0]!.name, stage.nodes.at(-1)!.name] as const
    for (const [name, labels] of Object.entries(NAMESPACES)) await makeNamespace(stage, program, name, labels)
    const probers = await startProbers(stage, [...pods(nodes), ...hosts(nodes)])
    const found: readonly Resource[] = await stage.get('nodes')
    const podCidrs = Object.fromEntries(found.map(({ metadata, spec }) => [metadata.name, spec.podCIDRs]))
    return new Scene({ stage, program, nodes, podCidrs, probers })
  }

  /** One of the nine, by `NAMESPACE/NAME`. */
  prober(name: string): Prober {
    const found = this.probers.find(each => nameOf(each) === name)
    if (found === undefined) throw new Error(`Cannot find prober ${name}: there is none`)
    return found
  }

  /** Takes all of it away; done when no node is left with a pod that is isolated. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { stage } = this
    for (const { questions } of this.probers) questions.end()
    await stage.kubectl('delete', 'namespace', '--selector=test=podwire')
    await stage.until('the nodes to let go of their pods', async () => {
      const sets = await stage.onEachNode(node => stage.inNode(node, ISOLATED))
      return !JSON.stringify(sets).includes('elements')
    })
  }
}

const pods = (nodes: readonly [string, string]): ProberOptions[] =>
  Object.entries(PLACES).flatMap(([namespace, places]) =>
    places.flatMap((kinds, i) =>
      kinds.map((kind): ProberOptions => {
        return { namespace, name: kind, node: nodes[i]!, labels: LABELS[kind], ports: NAMED[kind] }
      }),
    ),
  )

const hosts = (nodes: readonly [string, string]): ProberOptions[] =>
  nodes.map(node => ({
    namespace: 'ops',
    name: `host-${node}`,
    node,
    labels: { app: 'host' },
    isHost: true,
  }))
