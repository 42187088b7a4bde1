import type { PodKey } from './objects.ts'
import type { Element, Elements } from './rule-set.ts'

/** Elements with their keys' texts. */
export type Entries = readonly (readonly [string, Element])[]

const NONE: Entries = []

/**
 * The elements of one set, and which pod each is of. `elements` is a value: it is replaced when something changes, and
 * stays the very same when nothing does.
 */
export class Contents {
  readonly #byPod = new Map<PodKey, Entries>()
  #elements: Elements = new Map<string, Element>()

  get elements(): Elements {
    return this.#elements
  }

  /** What each of these pods has in the set from now on, in place of what it had. No two have the same key. */
  update(pods: Iterable<PodKey>, entriesOf: (pod: PodKey) => Entries): void {
    const changes: { readonly pod: PodKey; readonly before: Entries; readonly after: Entries }[] = []
    for (const pod of pods) {
      const [before, after] = [this.#byPod.get(pod) ?? NONE, entriesOf(pod)]
      if (!areSame(before, after)) changes.push({ pod, before, after })
    }
    if (changes.length === 0) return
    const elements = new Map(this.#elements)
    // All removals first: an address may go from one pod to another.
    for (const { before } of changes) for (const [key] of before) elements.delete(key)
    for (const { pod, after } of changes) {
      for (const [key, element] of after) elements.set(key, element)
      if (after.length > 0) this.#byPod.set(pod, after)
      else this.#byPod.delete(pod)
    }
    this.#elements = elements
  }
}

const areSame = (some: Entries, others: Entries): boolean =>
  some.length === others.length &&
  some.every(([key, element], i) => key === others[i]![0] && isSame(element, others[i]![1]))

/** Whether an element is as another of the same key. */
export const isSame = (one: Element, other: Element): boolean =>
  one.target === other.target && one.comment === other.comment
