import type { Difference } from '../../daemon/core/policy/difference.ts'
import { formatRule } from '../../daemon/core/policy/render.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'

/** Makes a difference in a rule set, as the kernel would of the script. Refuses what nft would refuse. */
export function applyDifference(present: RuleSet, change: Difference): RuleSet {
  const sets = new Map([...present.sets, ...change.newSets])
  for (const [name, { removed, added }] of change.changes) {
    const elements = new Map(sets.get(name)!.elements)
    for (const key of removed.keys())
      if (!elements.delete(key)) throw new Error(`Cannot delete ${key} from ${name}: it is not there`)
    for (const [key, element] of added) {
      if (elements.has(key)) throw new Error(`Cannot add ${key} to ${name}: it is there`)
      elements.set(key, element)
    }
    sets.set(name, { ...sets.get(name)!, elements })
  }
  const chains = new Map([...present.chains, ...change.newChains])
  for (const name of change.oldChains) chains.delete(name)
  for (const name of change.oldSets) sets.delete(name)
  return { chains, sets }
}

/** All of a rule set as sorted lines: two are the same when these are. */
export const canonical = ({ chains, sets }: RuleSet): string =>
  [
    ...[...chains].flatMap(([name, { rules }]) => rules.map((rule, i) => `${name} ${i} ${formatRule(rule)}`)),
    ...[...sets].flatMap(([name, { kind, key, elements }]) => [
      `${name} ${kind} ${key.join()}`,
      ...[...elements].map(([text, { target, comment }]) => `${name} ${text} ${target} ${comment}`),
    ]),
  ]
    .sort()
    .join('\n')
