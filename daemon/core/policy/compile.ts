import type { Cidr } from '../../../ipam/core/ip.ts'
import { baseChains } from './base.ts'
import { Candidates } from './candidates.ts'
import { areEqual } from './equal.ts'
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
import { type Member, PeerSets } from './peer-sets.ts'
import { type Definition, findsIn } from './peers.ts'
import { PodIndex } from './pod-index.ts'
import { PodRules } from './pod-rules.ts'
import { PolicyIndex, type PolicyName } from './policy-index.ts'
import type { Chain, RuleSet } from './rule-set.ts'
import { Senders } from './senders.ts'

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
 * values in the next rule set, so that finding the difference costs what has changed. What takes in an object answers
 * whether it is other than it was: most of what an API server tells is nothing that matters here.
 */
export class Compiler {
  readonly #pods = new PodIndex()
  readonly #namespaces = new Map<string, Namespace>()
  readonly #policies = new PolicyIndex()
  #podCidrs: readonly Cidr[] = []
  readonly #rules: PodRules
  readonly #senders = new Senders()
  readonly #peers = new PeerSets()
  readonly #base: ReadonlyMap<string, Chain>
  /** Pods to look at as peers, and pods to plan for, because of something else than themselves. */
  #asPeers = new Set<PodKey>()
  #toPlan = new Set<PodKey>()
  #arePodCidrsNew = false

  constructor(wish: Wish) {
    this.#rules = new PodRules(wish)
    this.#base = baseChains(wish.log)
  }

  setPod(pod: Pod): boolean {
    if (areEqual(this.#pods.pod(podKey(pod)), pod)) return false
    this.#pods.set(pod)
    return true
  }

  deletePod(pod: Pick<Pod, 'namespace' | 'name'>): boolean {
    const key = podKey(pod)
    if (this.#pods.pod(key) === undefined) return false
    this.#pods.delete(key)
    return true
  }

  /** These are all pods: those that are not among them are gone. */
  replacePods(pods: readonly Pod[]): boolean {
    const keys = new Set(pods.map(podKey))
    const gone = this.#pods.all().filter(pod => !keys.has(podKey(pod)))
    return [...gone.map(pod => this.deletePod(pod)), ...pods.map(pod => this.setPod(pod))].includes(true)
  }

  /** A pod of this node has these addresses, from its ADD on until its DEL. */
  attach(attached: Attached): void {
    this.#pods.attach(attached)
    this.#senders.attach(attached)
  }

  detach(id: string): void {
    this.#pods.detach(id)
    this.#senders.detach(id)
  }

  /** Whether the API server has told of the pod that was attached under this id, and not only of a namesake. */
  isKnown(id: string): boolean {
    return this.#pods.isKnown(id)
  }

  /** Whose an address is, by its text: of a pod of any node, or of one that only its attachment tells of. */
  podAt(address: string): PodKey | undefined {
    return this.#pods.podAt(address)
  }

  setNamespace(namespace: Namespace): boolean {
    if (areEqual(this.#namespaces.get(namespace.name), namespace)) return false
    this.#namespaces.set(namespace.name, namespace)
    this.#lookAtPeers(this.#pods.inNamespace(namespace.name))
    return true
  }

  deleteNamespace(name: string): boolean {
    if (!this.#namespaces.delete(name)) return false
    this.#lookAtPeers(this.#pods.inNamespace(name))
    return true
  }

  /** These are all namespaces. */
  replaceNamespaces(namespaces: readonly Namespace[]): boolean {
    const names = new Set(namespaces.map(({ name }) => name))
    const gone = [...this.#namespaces.keys()].filter(name => !names.has(name))
    return [
      ...gone.map(name => this.deleteNamespace(name)),
      ...namespaces.map(namespace => this.setNamespace(namespace)),
    ].includes(true)
  }

  setPolicy(policy: NetworkPolicy): boolean {
    if (areEqual(this.#policies.get(policy), policy)) return false
    this.#policies.set(policy)
    this.#planFor(policy.namespace)
    return true
  }

  deletePolicy(policy: PolicyName): boolean {
    if (this.#policies.get(policy) === undefined) return false
    this.#policies.delete(policy)
    this.#planFor(policy.namespace)
    return true
  }

  /** These are all policies. */
  replacePolicies(policies: readonly NetworkPolicy[]): boolean {
    const names = new Set(policies.map(podKey))
    const gone = this.#policies.all().filter(policy => !names.has(podKey(policy)))
    return [
      ...gone.map(policy => this.deletePolicy(policy)),
      ...policies.map(policy => this.setPolicy(policy)),
    ].includes(true)
  }

  /** The podCIDRs of all nodes. */
  setPodCidrs(cidrs: readonly Cidr[]): boolean {
    if (areEqual(this.#podCidrs, cidrs)) return false
    this.#podCidrs = cidrs
    this.#arePodCidrsNew = true
    return true
  }

  /** The namespaces that have a policy. */
  get namespaces(): ReadonlySet<string> {
    return this.#policies.namespaces
  }

  /** How many policies there are, and how many pods of this node were isolated, in whichever direction, when last compiled. */
  counts(): { readonly policies: number; readonly isolatedPods: number } {
    return { policies: this.#policies.size, isolatedPods: this.#rules.isolatedPods }
  }

  /** The rule set for everything that was taken in so far. */
  compile(): RuleSet {
    const changed = this.#pods.takeChanged()
    this.#rules.update(changed.union(this.#toPlan), this.#pods, namespace =>
      this.#policies.inNamespace(namespace),
    )
    const chains = new Map(this.#base)
    const definitions = new Map<string, Definition>()
    for (const { name, chain, needs } of this.#rules.plans()) {
      if (chains.has(name)) continue
      chains.set(name, chain)
      for (const definition of needs) definitions.set(definition.name, definition)
    }
    this.#updatePeers(definitions, changed)
    this.#asPeers = new Set()
    this.#toPlan = new Set()
    this.#arePodCidrsNew = false
    return { chains, sets: new Map([...this.#senders.compile(), ...this.#rules.sets, ...this.#peers.sets]) }
  }

  #updatePeers(definitions: ReadonlyMap<string, Definition>, changed: ReadonlySet<PodKey>): void {
    const members = new Map<PodKey, Member>()
    this.#peers.update(definitions, {
      around: {
        labelsOf: name => this.#namespaces.get(name)?.labels,
        isInPodCidr: findsIn(this.#podCidrs),
      },
      podCidrs: this.#podCidrs,
      arePodCidrsNew: this.#arePodCidrsNew,
      changed,
      changedByNamespace: changed.union(this.#asPeers),
      candidates: new Candidates(this.#pods),
      all: () => this.#pods.keys(),
      memberOf: key => {
        const member = members.get(key) ?? { pod: this.#pods.pod(key), addresses: this.#pods.held(key).known }
        members.set(key, member)
        return member
      },
    })
  }

  #lookAtPeers(keys: Iterable<PodKey>): void {
    for (const key of keys) this.#asPeers.add(key)
  }

  #planFor(namespace: string): void {
    for (const key of this.#pods.inNamespace(namespace)) this.#toPlan.add(key)
  }
}
