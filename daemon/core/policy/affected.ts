import { FAMILIES } from '../../../ipam/core/ip.ts'
import { verdictMap } from './base.ts'
import { type Direction, DIRECTIONS } from './network-policy.ts'
import type { Chain, Elements, RuleSet } from './rule-set.ts'

/**
 * The addresses, as text, of pods whose connections in a direction may be forbidden by now: led to another chain, or
 * to one whose sets have lost an element. What was only added forbids nothing, and whoever no longer is led anywhere
 * is free. Which of their connections are forbidden, evaluate() tells.
 */
export function affected(present: RuleSet, wanted: RuleSet): Record<Direction, ReadonlySet<string>> {
  const shrunken = new Set(
    [...wanted.sets].flatMap(([name, set]) => {
      const before = present.sets.get(name)
      return before !== undefined && before !== set && hasLost(before.elements, set.elements) ? [name] : []
    }),
  )
  const stricter = new Set(
    [...wanted.chains].flatMap(([name, chain]) => (asks(chain, shrunken) ? [name] : [])),
  )
  const [ingress, egress] = DIRECTIONS.map(
    direction =>
      new Set(
        FAMILIES.flatMap(family => {
          const map = verdictMap(direction, family)
          return addressesIn(present.sets.get(map)!.elements, wanted.sets.get(map)!.elements, stricter)
        }),
      ),
  )
  return { ingress: ingress!, egress: egress! }
}

const hasLost = (before: Elements, after: Elements): boolean =>
  [...before.keys()].some(key => !after.has(key))

const asks = (chain: Chain, sets: ReadonlySet<string>): boolean =>
  chain.rules.some(({ matches }) => matches.some(match => match.kind === 'set' && sets.has(match.set)))

const addressesIn = (before: Elements, after: Elements, stricter: ReadonlySet<string>): string[] =>
  [...after].flatMap(([address, { target, comment }]) => {
    const was = before.get(address)
    const isSame = was?.target === target && was?.comment === comment
    return isSame && !stricter.has(target!) ? [] : [address]
  })
