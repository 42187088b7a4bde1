import { dropChain } from '../base.ts'
import { type ListedRule, type ListedVerdict, type Passing, readRules } from './listed-rule.ts'
import { DIRECTIONS } from '../network-policy.ts'
import { PREFIX } from '../rule-set.ts'

/** A chain of the kernel's. */
export interface ListedChain {
  /** As `nft list chain` prints it. */
  readonly text: string
  /** As `nft -j list chain` does. */
  readonly json: unknown
}

/** What of the policies is in this node's kernel. */
export interface Table {
  /** Undefined when there is no such chain. */
  chain(name: string): Promise<ListedChain | undefined>
  /** The element that a key is in, as nft prints it; undefined when it is in none, or there is no such set. */
  element(set: string, key: string): Promise<string | undefined>
}

/** What a packet has met on its way. */
export type Step =
  | {
      readonly kind: 'element'
      readonly set: string
      readonly key: string
      readonly found: string | undefined
    }
  /** `met` is the place of the rule that decides, and `unclear` are those that nobody here understands. */
  | {
      readonly kind: 'chain'
      readonly text: string
      readonly rules: number
      readonly met: number | undefined
      readonly unclear: readonly number[]
    }

/** Where the rules of policies begin. */
const FIRST_CHAIN = `${PREFIX}forward`

/** The way of a packet through the rules of a node, and its end. */
export interface Way {
  readonly isAllowed: boolean
  /** Sets and maps that were asked, and chains that decide something. */
  readonly steps: readonly Step[]
}

/**
 * Goes the way of a packet; undefined when this node has no rules for policies. Throws when they change under way.
 */
export async function walk(table: Table, passing: Passing): Promise<Way | undefined> {
  if ((await table.chain(FIRST_CHAIN)) === undefined) return undefined
  const steps: Step[] = []
  const outcome = await walkChain({ table, passing, steps }, FIRST_CHAIN)
  return { isAllowed: outcome !== 'drop', steps }
}

interface Context {
  readonly table: Table
  readonly passing: Passing
  readonly steps: Step[]
}

/** `return` says that the chain let go of the packet: by a rule, or because it has no more. */
type Outcome = 'accept' | 'drop' | 'return'

/** What is in these counts and drops, and says no more. */
const DROPS: readonly string[] = DIRECTIONS.map(dropChain)

async function walkChain(context: Context, name: string): Promise<Outcome> {
  if (DROPS.includes(name)) return 'drop'
  const chain = await context.table.chain(name)
  if (chain === undefined)
    throw new Error(`Cannot follow the rules: chain ${name} has gone meanwhile; ask again`)
  const rules = readRules(chain.json, context.passing)
  const unclear: number[] = []
  const note = (met?: number): void =>
    void context.steps.push({ kind: 'chain', text: chain.text, rules: rules.length, met, unclear })
  for (const [i, rule] of rules.entries()) {
    const met = await meets(context, rule)
    if (met === 'unclear') unclear.push(i)
    if (met !== 'yes') continue
    if (decides(rule.verdict)) note(i)
    const outcome = await follow(context, rule.verdict)
    if (outcome !== undefined) return outcome
  }
  if (unclear.length > 0) note()
  return 'return'
}

/** Asks in the order of the rule, until one is not met, as the kernel does. */
async function meets(context: Context, { matches }: ListedRule): Promise<'yes' | 'no' | 'unclear'> {
  let isClear = true
  for (const match of matches) {
    if (match.kind === 'no') return 'no'
    if (match.kind === 'unclear') isClear = false
    if (match.kind === 'ask' && (await ask(context, match.set, match.key)) === undefined) return 'no'
  }
  return isClear ? 'yes' : 'unclear'
}

async function ask({ table, steps }: Context, set: string, key: string): Promise<string | undefined> {
  const found = await table.element(set, key)
  steps.push({ kind: 'element', set, key, found })
  return found
}

const decides = (verdict: ListedVerdict): boolean =>
  verdict.kind === 'accept' ||
  verdict.kind === 'drop' ||
  verdict.kind === 'return' ||
  (verdict.kind === 'goto' && DROPS.includes(verdict.chain))

/** Undefined goes on to the next rule. */
async function follow(context: Context, verdict: ListedVerdict): Promise<Outcome | undefined> {
  switch (verdict.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return verdict.kind
    case 'none':
      return undefined
    case 'goto':
      return walkChain(context, verdict.chain)
    case 'jump': {
      const outcome = await walkChain(context, verdict.chain)
      return outcome === 'return' ? undefined : outcome
    }
    case 'vmap': {
      const found = verdict.key === undefined ? undefined : await ask(context, verdict.map, verdict.key)
      const [, chain] = / : goto (\S+)/.exec(found ?? '') ?? []
      return chain === undefined ? undefined : walkChain(context, chain)
    }
  }
}
