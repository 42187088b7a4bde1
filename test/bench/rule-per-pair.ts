import { SIDES, verdictMap } from '../../daemon/core/policy/base.ts'
import { type Direction, DIRECTIONS } from '../../daemon/core/policy/network-policy.ts'
import type { Chain, Match, Rule, RuleSet } from '../../daemon/core/policy/rule-set.ts'
import { IPV4 } from '../../ipam/core/ip.ts'

/*
 * A rule set laid out as it would be without maps and sets: one chain for each direction, with a rule for each pod and
 * each peer that may talk with it, and a rule that drops the rest for each pod. It lets the same packets through.
 */

export const PAIRS_TABLE = 'inet bench'
/** The chain that packets come in by. */
export const PAIRS_BASE = 'forward'

const chainOf = (direction: Direction): string => `pairs-${direction}`

/** The rules of both chains, for the pods that have IPv4 addresses: without any, nobody is isolated. */
export const pairRules = (rules: RuleSet): ReadonlyMap<Direction, readonly string[]> =>
  new Map(DIRECTIONS.map(direction => [direction, [...rulesOf(direction, rules)]]))

/** A table with these rules, for nft; nothing leads to them before there is the base chain. */
export const pairsScript = (pairs: ReadonlyMap<Direction, readonly string[]>): string =>
  [
    `add table ${PAIRS_TABLE}`,
    ...[...pairs].flatMap(([direction, rules]) => [
      `add chain ${PAIRS_TABLE} ${chainOf(direction)}`,
      ...rules.map(rule => `add rule ${PAIRS_TABLE} ${chainOf(direction)} ${rule}`),
    ]),
  ]
    .map(line => `${line}\n`)
    .join('')

/** The base chain: as with maps, only the first packet of a connection goes further. */
export const pairsBase = ({ hook }: Chain): Chain => ({
  ...(hook === undefined ? {} : { hook }),
  rules: [
    { matches: [{ kind: 'established' }], verdict: { kind: 'accept' } },
    ...DIRECTIONS.toReversed().map((direction): Rule => ({
      matches: [],
      verdict: { kind: 'jump', chain: chainOf(direction) },
    })),
  ],
})

function* rulesOf(direction: Direction, { chains, sets }: RuleSet): Iterable<string> {
  for (const [address, { target }] of sets.get(verdictMap(direction, IPV4))!.elements) {
    const pod = `${IPV4.word} ${SIDES[direction].pod} ${address}`
    for (const { matches, verdict } of chains.get(target!)!.rules)
      for (const match of spell(matches, sets))
        // A chain's last rule leads on to one that drops.
        yield `${pod} ${match}counter ${verdict.kind === 'return' ? 'return' : 'drop'}`
  }
}

/** The matches of a rule as those of several, none of which asks a set. */
const spell = (matches: readonly Match[], sets: RuleSet['sets']): string[] =>
  matches.reduce<string[]>(
    (texts, match) => {
      const ways = waysOf(match, sets)
      return texts.flatMap(text => ways.map(way => `${text}${way} `))
    },
    [''],
  )

function waysOf(match: Match, sets: RuleSet['sets']): string[] {
  if (match.kind === 'set')
    return [...sets.get(match.set)!.elements.keys()].map(key => formatElement(match, key))
  if (match.kind === 'ports')
    return match.ranges.map(
      ([first, last]) => `${match.protocol} dport ${first === last ? first : `${first}-${last}`}`,
    )
  throw new Error(`Cannot lay out the chain of a pod: it asks for "${match.kind}"`)
}

/** `10.1.0.5 . tcp . 80`, of a set of addresses and ports, as matches. */
function formatElement({ family, parts }: Extract<Match, { kind: 'set' }>, key: string): string {
  const [address, protocol, port] = key.split(' . ')
  const peer = `${family.word} ${parts[0]} ${address}`
  return port === undefined ? peer : `${peer} ${protocol} dport ${port}`
}
