import { addChain, addRules } from '../../daemon/core/policy/render.ts'
import { type Chain, type RuleSet, TABLE } from '../../daemon/core/policy/rule-set.ts'
import { loadScript, type Present } from '../../daemon/core/policy/script.ts'
import { PAIRS_BASE, PAIRS_TABLE, pairRules, pairsBase, pairsScript } from './rule-per-pair.ts'

/** Rules in the kernel, as scripts of nft. Loaded they take no effect: a base chain that comes and goes leads to them. */
export interface Layout {
  readonly load: string
  readonly unload: string
  readonly hook: string
  readonly unhook: string
  /** How many rules it has. */
  readonly count: number
}

/** As Podwire lays them out. */
export function ownLayout(rules: RuleSet): Layout {
  const chains = [...rules.chains]
  const bases = chains.filter(([, { hook }]) => hook !== undefined)
  const unhook = lines(bases.map(([name]) => `delete chain ${TABLE} ${name}`))
  return {
    load: loadScript(rules, { chains: [], maps: [], sets: [] }) + unhook,
    unload: loadScript({ chains: new Map(), sets: new Map() }, presentOf(rules)),
    hook: lines(bases.flatMap(([name, chain]) => [addChain(name, chain), ...addRules(name, chain)])),
    unhook,
    count: chains.reduce((sum, [, chain]) => sum + chain.rules.length, 0),
  }
}

/** The names of all that is loaded, without the base chains. */
function presentOf({ chains, sets }: RuleSet): Present {
  const names = (isMap: boolean): string[] =>
    [...sets].filter(([, { kind }]) => (kind === 'map') === isMap).map(([name]) => name)
  const loaded = [...chains].filter(([, { hook }]) => hook === undefined).map(([name]) => name)
  return { chains: loaded, maps: names(true), sets: names(false) }
}

/** A rule for each pod and each peer. */
export function pairsLayout(rules: RuleSet): Layout {
  const pairs = pairRules(rules)
  const base = pairsBase(hookOf(rules))
  return {
    load: pairsScript(pairs),
    unload: `delete table ${PAIRS_TABLE}\n`,
    hook: lines([addChain(PAIRS_BASE, base), ...addRules(PAIRS_BASE, base)]).replaceAll(TABLE, PAIRS_TABLE),
    unhook: `delete chain ${PAIRS_TABLE} ${PAIRS_BASE}\n`,
    count: [...pairs.values()].reduce((sum, own) => sum + own.length, 0),
  }
}

/** Where pods' packets come by. */
const hookOf = ({ chains }: RuleSet): Chain => [...chains.values()].find(({ hook }) => hook !== undefined)!

const lines = (commands: readonly string[]): string => commands.map(command => `${command}\n`).join('')
