import type { Cidr } from '../../../ipam/core/ip.ts'
import { baseChains } from './base.ts'
import type { NetworkPolicy } from './network-policy.ts'
import {
  type Attached,
  type Namespace,
  type Objects,
  type Pod,
  type PodKey,
  podKey,
  type Site,
} from './objects.ts'
import { type Members, PeerSets } from './peer-sets.ts'
import { type Definition, findsIn } from './peers.ts'
import { PodIndex } from './pod-index.ts'
import { PodRules } from './pod-rules.ts'
import type { Chain, RuleSet } from './rule-set.ts'

/** Where the rules are to be, and whether dropped packets are logged (`--policy-log`). */
export interface Wish extends Site {
  readonly log: boolean
}

/** The rule set for these objects, from nothing. */
export function compile(objects: Objects, wish: Wish): RuleSet {
  const compiler = new Compiler(wish)
  for (const namespace of objects.namespaces) compiler.setNamespace(namespace)
  for (const policy of objects.policies) compiler.setPolicy(policy)
  for (const pod of objects.pods) compiler.setPod(pod)
  for (const attached of objects.attached) compiler.attach(attached)
  compiler.setPodCidrs(objects.podCidrs)
  return compiler.compile()
}

/**
 * Takes in changes of objects, and compiles what they change. Sets that nothing has changed are the very same
 * values in the next rule set, so that finding the difference costs what has changed.
 */
export class Compiler {
  readonly #pods = new PodIndex()
  readonly #namespaces = new Map<string, Namespace>()
  /** By namespace, sorted, so that a chain does not depend on when its policies were heard of. */
  readonly #policies = new Map<string, readonly NetworkPolicy[]>()
  #podCidrs: readonly Cidr[] = []
  readonly #rules: PodRules
  readonly #peers = new PeerSets()
  readonly #base: ReadonlyMap<string, Chain>
  /** Pods to look at as peers, and pods to plan for, because of something else than themselves. */
  #asPeers = new Set<PodKey>()
  #toPlan = new Set<PodKey>()

  constructor(wish: Wish) {
    this.#rules = new PodRules(wish)
    this.#base = baseChains(wish.log)
  }

  setPod(pod: Pod): void {
    this.#pods.set(pod)
  }

  deletePod(pod: Pick<Pod, 'namespace' | 'name'>): void {
    this.#pods.delete(podKey(pod))
  }

  /** A pod of this node has these addresses, from its ADD on until its DEL. */
  attach(attached: Attached): void {
    this.#pods.attach(attached)
  }

  detach(id: string): void {
    this.#pods.detach(id)
  }

  setNamespace(namespace: Namespace): void {
    this.#namespaces.set(namespace.name, namespace)
    this.#lookAtPeers(this.#pods.inNamespace(namespace.name))
  }

  deleteNamespace(name: string): void {
    this.#namespaces.delete(name)
    this.#lookAtPeers(this.#pods.inNamespace(name))
  }

  setPolicy(policy: NetworkPolicy): void {
    const policies = [...this.#without(policy), policy].sort((a, b) => (a.name < b.name ? -1 : 1))
    this.#policies.set(policy.namespace, policies)
    this.#planFor(policy.namespace)
  }

  deletePolicy(policy: Pick<NetworkPolicy, 'namespace' | 'name'>): void {
    this.#policies.set(policy.namespace, this.#without(policy))
    this.#planFor(policy.namespace)
  }

  /** The podCIDRs of all nodes. */
  setPodCidrs(cidrs: readonly Cidr[]): void {
    this.#podCidrs = cidrs
    this.#lookAtPeers(this.#pods.keys())
  }

  /** The rule set for everything that was taken in so far. */
  compile(): RuleSet {
    const changed = this.#pods.takeChanged()
    this.#rules.update(changed.union(this.#toPlan), this.#pods, namespace => this.#policiesOf(namespace))
    const chains = new Map(this.#base)
    const definitions = new Map<string, Definition>()
    for (const { name, chain, needs } of this.#rules.plans()) {
      if (chains.has(name)) continue
      chains.set(name, chain)
      for (const definition of needs) definitions.set(definition.name, definition)
    }
    this.#updatePeers(definitions, changed.union(this.#asPeers))
    this.#asPeers = new Set()
    this.#toPlan = new Set()
    return { chains, sets: new Map([...this.#rules.sets, ...this.#peers.sets]) }
  }

  #updatePeers(definitions: ReadonlyMap<string, Definition>, changed: ReadonlySet<PodKey>): void {
    const membersOf = (keys: Iterable<PodKey>): Members =>
      new Map(
        [...keys].map(key => [key, { pod: this.#pods.pod(key), addresses: this.#pods.held(key).known }]),
      )
    let all: Members | undefined
    this.#peers.update(definitions, {
      around: {
        labelsOf: name => this.#namespaces.get(name)?.labels,
        isInPodCidr: findsIn(this.#podCidrs),
      },
      podCidrs: this.#podCidrs,
      changed: membersOf(changed),
      all: () => (all ??= membersOf(this.#pods.keys())),
    })
  }

  #policiesOf(namespace: string): readonly NetworkPolicy[] {
    return this.#policies.get(namespace) ?? []
  }

  #without({ namespace, name }: Pick<NetworkPolicy, 'namespace' | 'name'>): NetworkPolicy[] {
    return this.#policiesOf(namespace).filter(policy => policy.name !== name)
  }

  #lookAtPeers(keys: Iterable<PodKey>): void {
    for (const key of keys) this.#asPeers.add(key)
  }

  #planFor(namespace: string): void {
    for (const key of this.#pods.inNamespace(namespace)) this.#toPlan.add(key)
  }
}
