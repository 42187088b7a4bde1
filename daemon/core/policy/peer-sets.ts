import type { Cidr } from '../../../ipam/core/ip.ts'
import type { Candidates } from './candidates.ts'
import { Contents } from './contents.ts'
import type { Pod, PodKey } from './objects.ts'
import {
  asksNamespaces,
  asksPodCidrs,
  type Definition,
  elementsOf,
  type PodDefinition,
  shapeOf,
  type Surroundings,
} from './peers.ts'
import { rangeElements, rangesOf } from './ranges.ts'
import type { Address, Elements, NftSet } from './rule-set.ts'

/** A pod as a peer: what it is, if that is known, and its addresses. */
export interface Member {
  readonly pod: Pod | undefined
  readonly addresses: readonly Address[]
}

/** What is known beside pods, and what of it has changed since the last time. */
export interface PeerChanges {
  readonly around: Surroundings
  readonly podCidrs: readonly Cidr[]
  readonly arePodCidrsNew: boolean
  /** Pods that are others than they were, or have other addresses. */
  readonly changed: ReadonlySet<PodKey>
  /** Those, and the pods of namespaces that have other labels. */
  readonly changedByNamespace: ReadonlySet<PodKey>
  /** The pods to look at in sets that are new. */
  readonly candidates: Candidates
  readonly all: () => Iterable<PodKey>
  readonly memberOf: (key: PodKey) => Member
}

/** The sets that chains ask, with what is in them. */
export class PeerSets {
  readonly #contents = new Map<string, Contents>()
  #sets: ReadonlyMap<string, NftSet> = new Map<string, NftSet>()

  get sets(): ReadonlyMap<string, NftSet> {
    return this.#sets
  }

  /** Makes what these definitions need, and lets go of all others. */
  update(definitions: ReadonlyMap<string, Definition>, changes: PeerChanges): void {
    for (const name of this.#contents.keys()) if (!definitions.has(name)) this.#contents.delete(name)
    this.#sets = new Map(
      [...definitions].map(([name, definition]) => [name, this.#make(definition, changes)]),
    )
  }

  #make(definition: Definition, changes: PeerChanges): NftSet {
    const before = this.#sets.get(definition.name)
    const elements = this.#elementsOf(definition, changes)
    return before?.elements === elements ? before : { ...shapeOf(definition), elements }
  }

  #elementsOf(definition: Definition, changes: PeerChanges): Elements {
    const { name, family } = definition
    const before = this.#sets.get(name)?.elements
    switch (definition.kind) {
      case 'blocks':
        return before ?? definition.elements
      case 'pod-cidrs':
        return sameOr(before, rangeElements(rangesOf(family, changes.podCidrs)))
      case 'pods':
      case 'ports':
        return this.#podElements(definition, changes)
    }
  }

  #podElements(definition: PodDefinition, changes: PeerChanges): Elements {
    const present = this.#contents.get(definition.name)
    const contents = present ?? new Contents()
    this.#contents.set(definition.name, contents)
    const pods = present === undefined ? changes.candidates.of(definition) : changedIn(definition, changes)
    contents.update(pods, key => {
      const { pod, addresses } = changes.memberOf(key)
      return pod === undefined ? [] : elementsOf(definition, pod, addresses, changes.around)
    })
    return contents.elements
  }
}

/** The pods to look at in a set that is there already. */
function changedIn(definition: PodDefinition, changes: PeerChanges): Iterable<PodKey> {
  if (changes.arePodCidrsNew && asksPodCidrs(definition)) return changes.all()
  return asksNamespaces(definition) ? changes.changedByNamespace : changes.changed
}

/** Ranges are sorted, so the same texts are the same. */
const sameOr = (before: Elements | undefined, after: Elements): Elements =>
  before !== undefined && [...before.keys()].join() === [...after.keys()].join() ? before : after
