import type { Difference } from './difference.ts'
import { addChain, addElements, addSet, deleteElements, addRules } from './render.ts'
import { type NftSet, type RuleSet, TABLE } from './rule-set.ts'

/** What of ours is in the table, by its names. */
export interface Present {
  readonly chains: readonly string[]
  readonly maps: readonly string[]
  readonly sets: readonly string[]
}

/*
 * Both scripts are one transaction of nft: every packet meets either the rules before or those after it. In the script a
 * thing is made before what leads to it, and removed after that.
 */

/** Makes the table's part of ours as wished, whatever there was of it, also of another version. */
export function loadScript(wanted: RuleSet, present: Present): string {
  const chains = [...wanted.chains]
  const sets = [...wanted.sets]
  return lines([
    `add table ${TABLE}`,
    ...present.chains.map(name => `flush chain ${TABLE} ${name}`),
    ...present.maps.map(name => `delete map ${TABLE} ${name}`),
    ...present.chains.map(name => `delete chain ${TABLE} ${name}`),
    ...present.sets.map(name => `delete set ${TABLE} ${name}`),
    ...sets.map(([name, set]) => addSet(name, set)),
    ...chains.map(([name, chain]) => addChain(name, chain)),
    ...chains.flatMap(([name, chain]) => addRules(name, chain)),
    ...sets.flatMap(([name, { elements }]) => addElements(name, elements)),
  ])
}

/**
 * Turns the present rule set into the wanted one; empty when nothing changes, and nothing but elements when only pods
 * have. Fails, and changes nothing, where the table is not as thought: then {@link loadScript} puts it right.
 */
export function updateScript(wanted: RuleSet, change: Difference): string {
  const [newSets, newChains] = [[...change.newSets], [...change.newChains]]
  return lines([
    ...newSets.map(([name, set]) => addSet(name, set)),
    ...newSets.flatMap(([name, { elements }]) => addElements(name, elements)),
    ...newChains.map(([name, chain]) => addChain(name, chain)),
    ...newChains.flatMap(([name, chain]) => addRules(name, chain)),
    ...[...change.changes.keys()].flatMap(name => changeSet(name, wanted.sets.get(name)!, change)),
    ...change.oldChains.map(name => `flush chain ${TABLE} ${name}`),
    ...change.oldChains.map(name => `delete chain ${TABLE} ${name}`),
    ...change.oldSets.map(name => `delete set ${TABLE} ${name}`),
  ])
}

function changeSet(name: string, { kind, elements }: NftSet, { changes }: Difference): string[] {
  const { removed, added } = changes.get(name)!
  // nft (1.0.6) takes a range that the same script deletes for still there, and refuses one that overlaps, unless all of
  // the set goes.
  if (kind === 'ranges' && removed.size > 0)
    return [`flush set ${TABLE} ${name}`, ...addElements(name, elements)]
  return [...deleteElements(name, removed.keys()), ...addElements(name, added)]
}

const lines = (commands: readonly string[]): string => commands.map(command => `${command}\n`).join('')
