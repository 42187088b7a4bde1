import { asComment } from '../../../cni/core/netlink/element.ts'
import { BASE_SETS, countersSet, dropChain, selfSet, verdictMap } from './base.ts'
import { type Plan, Planner } from './chains.ts'
import { Contents, type Entries } from './contents.ts'
import { type Direction, DIRECTIONS, type NetworkPolicy } from './network-policy.ts'
import type { Pod, PodKey, Site } from './objects.ts'
import { matches } from './peers.ts'
import type { PodIndex } from './pod-index.ts'
import { type Address, type Element, type NftSet, withElements } from './rule-set.ts'

/** Where packets of one address go in one direction. */
interface Way {
  readonly direction: Direction
  readonly address: Address
  readonly chain: string
  /** Undefined for a chain that is always there. */
  readonly plan: Plan | undefined
}

/** What is in force for the pods of this node: the elements that lead to their chains, and these. */
export class PodRules {
  readonly #site: Site
  readonly #contents = new Map([...BASE_SETS.keys()].map(name => [name, new Contents()]))
  readonly #ways = new Map<PodKey, readonly Way[]>()
  #sets: ReadonlyMap<string, NftSet> = BASE_SETS

  constructor(site: Site) {
    this.#site = site
  }

  /** Plans for these pods anew. `policiesOf` tells the policies of a namespace. */
  update(
    keys: ReadonlySet<PodKey>,
    pods: PodIndex,
    policiesOf: (namespace: string) => readonly NetworkPolicy[],
  ): void {
    const planner = new Planner(this.plans())
    for (const key of keys) {
      const ways = [...this.#waysOfUnknown(key, pods), ...this.#waysOf(key, pods, planner, policiesOf)]
      if (ways.length > 0) this.#ways.set(key, ways)
      else this.#ways.delete(key)
    }
    const entries = new Map([...keys].map(key => [key, entriesOf(key, this.#ways.get(key) ?? [])]))
    for (const [name, contents] of this.#contents)
      contents.update(keys, key => entries.get(key)!.get(name) ?? [])
    this.#sets = new Map(
      [...this.#sets].map(([name, set]) => [name, withElements(set, this.#contents.get(name)!.elements)]),
    )
  }

  /** The maps, and the sets that are always there. */
  get sets(): ReadonlyMap<string, NftSet> {
    return this.#sets
  }

  /** How many pods lead anywhere. */
  get isolatedPods(): number {
    return this.#ways.size
  }

  /** The chains of all pods. */
  *plans(): Iterable<Plan> {
    for (const ways of this.#ways.values()) for (const { plan } of ways) if (plan !== undefined) yield plan
  }

  #waysOfUnknown(key: PodKey, pods: PodIndex): Way[] {
    if (this.#site.unknownPods === 'open') return []
    return pods
      .held(key)
      .unknown.flatMap(address =>
        DIRECTIONS.map(direction => ({ direction, address, chain: dropChain(direction), plan: undefined })),
      )
  }

  #waysOf(
    key: PodKey,
    pods: PodIndex,
    planner: Planner,
    policiesOf: (namespace: string) => readonly NetworkPolicy[],
  ): Way[] {
    const pod = pods.pod(key)
    if (pod === undefined || !this.#isHere(key, pod, pods)) return []
    const selecting = policiesOf(pod.namespace).filter(policy => matches(policy.podSelector, pod.labels))
    return DIRECTIONS.flatMap(direction => {
      const policies = selecting.filter(policy => policy[direction] !== undefined)
      if (policies.length === 0) return []
      return pods.held(key).known.map((address): Way => {
        const plan = planner.plan(policies, { direction, family: address.ip.family, pod })
        return { direction, address, chain: plan.name, plan }
      })
    })
  }

  #isHere = (key: PodKey, pod: Pod, pods: PodIndex): boolean =>
    pod.node === this.#site.node || pods.isAttached(key)
}

/** What a pod has in the sets, by their names. */
function entriesOf(key: PodKey, ways: readonly Way[]): ReadonlyMap<string, Entries> {
  const sets = new Map<string, (readonly [string, Element])[]>()
  const add = (name: string, entry: readonly [string, Element]): void => {
    const entries = sets.get(name) ?? []
    entries.push(entry)
    sets.set(name, entries)
  }
  for (const { direction, address, chain } of ways) {
    const { text, field, ip, entry } = address
    add(verdictMap(direction, ip.family), [text, { key: [field], target: chain, comment: asComment(key) }])
    add(countersSet(direction, ip.family), entry)
    // Of one that is isolated in both directions twice the same.
    add(selfSet(ip.family), [`${text} . ${text}`, { key: [field, field] }])
  }
  return sets
}
