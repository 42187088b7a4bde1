import { isEndOfRange, parseElement } from '../../../cni/core/netlink/element.ts'
import { decodeFields, type Field, formatFields } from '../../../cni/core/netlink/field.ts'
import type { Chain, Rule } from '../../../cni/core/netlink/rule.ts'
import { enumerate } from '../enumerate.ts'
import { isSame } from './contents.ts'
import { type Element, type Elements, type NftSet, PREFIX, type RuleSet } from './rule-set.ts'

/*
 * Whether the kernel has what it was given, in words. What a chain does is in its name, so of its rules only number and
 * comments are compared: nobody changes rules by chance so that these stay.
 */

/** Compares the chains with all chains and rules of the table. */
export function chainDifferences(
  { chains: wanted }: RuleSet,
  chains: readonly Chain[],
  rules: readonly Rule[],
): string[] {
  const found = new Map(chains.filter(({ name }) => isOurs(name)).map(({ name, isBase }) => [name, isBase]))
  const comments = Map.groupBy(rules, ({ chain }) => chain)
  const changed = [...wanted].filter(([name, { hook, rules: own }]) => {
    const there = comments.get(name) ?? []
    return (
      found.get(name) !== (hook !== undefined) ||
      there.length !== own.length ||
      own.some(({ comment }, i) => comment !== there[i]!.comment)
    )
  })
  return [
    ...nameDifferences('chains', wanted, found),
    ...say(
      'changed chains',
      changed.flatMap(([name]) => (found.has(name) ? [name] : [])),
    ),
  ]
}

/** Compares which sets and maps there are with all names of such in the table. */
export const setDifferences = ({ sets }: RuleSet, names: readonly string[]): string[] =>
  nameDifferences('sets', sets, new Map(names.filter(isOurs).map(name => [name, true])))

const isOurs = (name: string): boolean => name.startsWith(PREFIX)

/** What one element of the kernel's leads to and tells, by its key's text. */
export type Listed = readonly [text: string, element: Element]

/**
 * Reads an element that the kernel lists of a set. Of a range it lists two: the first key, and the first behind it unless
 * the range goes to the end. Undefined for the second when it begins at 0: nft puts one there, as a gap before the first range.
 */
export function readElement({ kind, key: types }: NftSet, bytes: Uint8Array): Listed | undefined {
  const { key: listed = new Uint8Array(), data, comment } = parseElement(bytes) ?? {}
  const key = decodeFields(types, listed)
  if (key === undefined) return undefined
  const text = formatFields(key)
  if (kind !== 'ranges') {
    const target = data?.kind === 'goto' ? { target: data.chain } : {}
    return [text, { key, ...target, ...(comment === undefined ? {} : { comment }) }]
  }
  if (!isEndOfRange(bytes)) return [text, { key }]
  return key[0]!.value === 0n ? undefined : [behind(text), { key }]
}

const behind = (text: string): string => `the end before ${text}`

/** Compares a set's elements with those that the kernel lists of it. */
export function elementDifferences(name: string, set: NftSet, found: Elements): string[] {
  const wanted = set.kind === 'ranges' ? boundaries(set.elements) : set.elements
  const changed = [...wanted].filter(([text, element]) => {
    const there = found.get(text)
    return there !== undefined && !isSame(element, there)
  })
  return [
    ...nameDifferences(`in set ${name}`, wanted, found),
    ...say(
      `changed in set ${name}`,
      changed.map(([text]) => text),
    ),
  ]
}

/** Ranges as the kernel keeps them. */
const boundaries = (ranges: Elements): Elements =>
  new Map(
    [...ranges.values()].flatMap(({ key, last }): Listed[] => {
      const next = after(last!)
      return [
        [formatFields(key), { key }],
        ...(next === undefined ? [] : ([[behind(formatFields([next])), { key: [next] }]] as const)),
      ]
    }),
  )

/** The next address; undefined after the last of all. */
function after({ type, value }: Field): Field | undefined {
  const bits = type === 'ipv4_addr' ? 32n : 128n
  return value + 1n === 1n << bits ? undefined : { type, value: value + 1n }
}

const nameDifferences = (
  kind: string,
  wanted: ReadonlyMap<string, unknown>,
  found: ReadonlyMap<string, unknown>,
): string[] => [
  ...say(
    `missing ${kind}`,
    [...wanted.keys()].filter(name => !found.has(name)),
  ),
  ...say(
    `surplus ${kind}`,
    [...found.keys()].filter(name => !wanted.has(name)),
  ),
]

const say = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${what}: ${enumerate(names)}`]
