import { isSame } from './contents.ts'
import type { Chain, Element, Elements, NftSet, RuleSet } from './rule-set.ts'

/** How one set changes: elements that go, and those that come. One that leads elsewhere does both. */
export interface SetChange {
  readonly removed: Elements
  readonly added: Elements
}

/** What turns one rule set into another. */
export interface Difference {
  readonly newSets: ReadonlyMap<string, NftSet>
  /** No chain ever gets other rules: what it has is in its name. */
  readonly newChains: ReadonlyMap<string, Chain>
  readonly changes: ReadonlyMap<string, SetChange>
  readonly oldChains: readonly string[]
  readonly oldSets: readonly string[]
}

/** Compares two rule sets of one compiler; what is the very same value in both costs nothing. */
export function difference(present: RuleSet, wanted: RuleSet): Difference {
  const changes = [...wanted.sets].flatMap(([name, set]): [string, SetChange][] => {
    const before = present.sets.get(name)
    return before === undefined || before === set ? [] : [[name, changeOf(before.elements, set.elements)]]
  })
  return {
    newSets: missing(wanted.sets, present.sets),
    newChains: missing(wanted.chains, present.chains),
    changes: new Map(changes),
    oldChains: [...missing(present.chains, wanted.chains).keys()],
    oldSets: [...missing(present.sets, wanted.sets).keys()],
  }
}

/** What one has and the other has not. */
const missing = <T>(one: ReadonlyMap<string, T>, other: ReadonlyMap<string, T>): Map<string, T> =>
  new Map([...one].filter(([name]) => !other.has(name)))

function changeOf(before: Elements, after: Elements): SetChange {
  const removed = new Map<string, Element>()
  const added = new Map<string, Element>()
  for (const [key, element] of before) {
    const there = after.get(key)
    if (there === undefined || !isSame(element, there)) removed.set(key, element)
  }
  for (const [key, element] of after) {
    const there = before.get(key)
    if (there === undefined || !isSame(element, there)) added.set(key, element)
  }
  return { removed, added }
}
