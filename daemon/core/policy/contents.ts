import type { PodKey } from './objects.ts'
import type { Element, Elements } from './rule-set.ts'

/** Elements with their keys' texts. */
export type Entries = readonly (readonly [string, Element])[]

const NONE: Entries = []

/**
 * The elements of one set, and whose each is: a pod's, unless told. `elements` is a value: it is replaced when something changes, and
 * stays the very same when nothing does.
 */
export class Contents<Owner extends string = PodKey> {
  readonly #byOwner = new Map<Owner, Entries>()
  #elements: Elements = new Map<string, Element>()

  get elements(): Elements {
    return this.#elements
  }

  /** What each of these owners has in the set from now on, in place of what it had. No two have the same key. */
  update(owners: Iterable<Owner>, entriesOf: (owner: Owner) => Entries): void {
    const changes: { readonly owner: Owner; readonly before: Entries; readonly after: Entries }[] = []
    for (const owner of owners) {
      const [before, after] = [this.#byOwner.get(owner) ?? NONE, entriesOf(owner)]
      if (!areSame(before, after)) changes.push({ owner, before, after })
    }
    if (changes.length === 0) return
    const elements = new Map(this.#elements)
    // All removals first: an address may go from one to another.
    for (const { before } of changes) for (const [key] of before) elements.delete(key)
    for (const { owner, after } of changes) {
      for (const [key, element] of after) elements.set(key, element)
      if (after.length > 0) this.#byOwner.set(owner, after)
      else this.#byOwner.delete(owner)
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
