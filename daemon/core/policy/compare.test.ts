import t from 'tap'
import { type Attr, encodeAttrs, text } from '../../../cni/core/netlink/attr.ts'
import { createElements, type Element, splitElements } from '../../../cni/core/netlink/element.ts'
import { addressField, encodeFields, portField, protocolField } from '../../../cni/core/netlink/field.ts'
import { encodeRequest, splitReplies } from '../../../cni/core/netlink/message.ts'
import { be32 } from '../../../cni/core/netlink/nfnetlink.ts'
import type { Chain as ListedChain, Rule as ListedRule } from '../../../cni/core/netlink/rule.ts'
import { ip } from '../../../test/support/result.ts'
import { chainDifferences, elementDifferences, readElement, setDifferences } from './compare.ts'
import { rangeElements } from './ranges.ts'
import type { Chain, NftSet, Rule, RuleSet } from './rule-set.ts'

const rule = (comment?: string): Rule => ({
  matches: [],
  verdict: { kind: 'accept' },
  ...(comment === undefined ? {} : { comment }),
})
const CHAINS = new Map<string, Chain>([
  ['policy-forward', { hook: 'type filter hook postrouting priority 95;', rules: [rule(), rule()] }],
  ['policy-a', { rules: [rule('red/p ingress[0]'), rule('isolated by red/p')] }],
])
const addresses: NftSet = { kind: 'set', key: ['ipv4_addr'], elements: new Map() }
const WANTED: RuleSet = { chains: CHAINS, sets: new Map([['policy-pods4', addresses]]) }

const LISTED: readonly ListedChain[] = [
  { name: 'postrouting', isBase: true },
  { name: 'policy-forward', isBase: true },
  { name: 'policy-a', isBase: false },
]
const RULES: readonly ListedRule[] = [
  { chain: 'postrouting', comment: undefined },
  { chain: 'policy-forward', comment: undefined },
  { chain: 'policy-forward', comment: undefined },
  { chain: 'policy-a', comment: 'red/p ingress[0]' },
  { chain: 'policy-a', comment: 'isolated by red/p' },
]

t.test('chainDifferences() is empty when all chains have their rules', t => {
  t.same(chainDifferences(WANTED, LISTED, RULES), [])
  t.end()
})

t.test('chainDifferences() names chains that are missing, surplus, or changed', t => {
  t.same(chainDifferences(WANTED, [], []), ['missing chains: policy-forward, policy-a'])
  const more = [...LISTED, { name: 'policy-b', isBase: false }]
  t.same(chainDifferences(WANTED, more, RULES), ['surplus chains: policy-b'])
  const changed = ['changed chains: policy-a']
  t.same(chainDifferences(WANTED, LISTED, RULES.slice(0, -1)), changed, 'a rule less')
  t.same(chainDifferences(WANTED, LISTED, [...RULES, RULES.at(-1)!]), changed, 'a rule more')
  t.same(
    chainDifferences(WANTED, LISTED, RULES.toSpliced(3, 2, RULES[4]!, RULES[3]!)),
    changed,
    'another order',
  )
  const hooked = LISTED.map(chain => ({ ...chain, isBase: true }))
  t.same(chainDifferences(WANTED, hooked, RULES), changed, 'a hook')
  t.same(
    chainDifferences(WANTED, LISTED, RULES.slice(3)),
    ['changed chains: policy-forward'],
    'no rules any more',
  )
  t.end()
})

t.test('setDifferences() names sets that are missing or surplus, and leaves those of others alone', t => {
  t.same(setDifferences(WANTED, ['policy-pods4', 'hostports4']), [])
  t.same(setDifferences(WANTED, ['policy-pods6']), [
    'missing sets: policy-pods4',
    'surplus sets: policy-pods6',
  ])
  t.end()
})

/** An element as the kernel lists it. */
const bytesOf = (element: Partial<Element>): Uint8Array => {
  const whole = { key: new Uint8Array(), data: undefined, comment: undefined, ...element }
  return splitElements(splitReplies(encodeRequest(createElements('x', [whole])[0]!, 1))[0]!.body)[0]!
}
const address = (value: string) => addressField(ip(value))
const key = (...fields: Parameters<typeof encodeFields>[0]) => encodeFields(fields)

t.test('readElement() reads a key, where it leads, and the comment', t => {
  const one = address('10.1.0.1')
  t.same(readElement(addresses, bytesOf({ key: key(one) })), ['10.1.0.1', { key: [one] }])
  const map: NftSet = { ...addresses, kind: 'map' }
  const leading = { key: key(one), data: { kind: 'goto', chain: 'policy-a' } as const, comment: 'red/p' }
  t.same(readElement(map, bytesOf(leading)), [
    '10.1.0.1',
    { key: [one], target: 'policy-a', comment: 'red/p' },
  ])
  const ports: NftSet = { ...addresses, key: ['ipv6_addr', 'inet_proto', 'inet_service'] }
  const fields = [address('fd00::1'), protocolField('tcp'), portField(80)]
  t.same(readElement(ports, bytesOf({ key: key(...fields) })), ['fd00::1 . tcp . 80', { key: fields }])
  t.end()
})

t.test('readElement() passes over what has no key of the type', t => {
  t.equal(readElement(addresses, bytesOf({ key: key(address('fd00::1')) })), undefined)
  t.equal(readElement(addresses, new Uint8Array()), undefined)
  t.end()
})

t.test('elementDifferences() names elements that are missing, surplus, or lead elsewhere', t => {
  const leading = (target: string, comment: string) => ({ key: [address('10.1.0.1')], target, comment })
  const elements = new Map([
    ['10.1.0.1', leading('policy-a', 'red/p')],
    ['10.1.0.2', leading('policy-a', 'red/q')],
  ])
  const set: NftSet = { kind: 'map', key: ['ipv4_addr'], elements }
  t.same(elementDifferences('policy-m', set, elements), [])
  t.same(elementDifferences('policy-m', set, new Map()), ['missing in set policy-m: 10.1.0.1, 10.1.0.2'])
  const found = new Map([
    ['10.1.0.1', leading('policy-b', 'red/p')],
    ['10.1.0.2', leading('policy-a', 'red/x')],
    ['10.1.0.3', leading('policy-a', 'red/z')],
  ])
  t.same(elementDifferences('policy-m', set, found), [
    'surplus in set policy-m: 10.1.0.3',
    'changed in set policy-m: 10.1.0.1, 10.1.0.2',
  ])
  t.end()
})

const range = (first: string, last: string) => ({ first: ip(first), last: ip(last) })

/** An element of a set of ranges, as the kernel lists it. */
const boundary = (value: string, isEnd: boolean): Uint8Array => {
  const attrs: Attr[] = [[1, [[1, key(address(value))]]]]
  return encodeAttrs(isEnd ? [...attrs, [3, be32(1)]] : [...attrs, [6, text('whatever')]])
}

t.test('ranges are compared by where they begin and end', t => {
  const ranges = [range('10.0.0.0', '10.0.0.255'), range('240.0.0.0', '255.255.255.255')]
  const set: NftSet = { kind: 'ranges', key: ['ipv4_addr'], elements: rangeElements(ranges) }
  const listed = (...some: readonly Uint8Array[]) =>
    new Map(some.map(bytes => readElement(set, bytes)).filter(each => each !== undefined))
  const all = [
    boundary('240.0.0.0', false),
    boundary('10.0.1.0', true),
    boundary('10.0.0.0', false),
    boundary('0.0.0.0', true),
  ]
  t.same(elementDifferences('policy-r', set, listed(...all)), [])
  t.same(elementDifferences('policy-r', set, listed(all[0]!, boundary('10.0.2.0', true), all[2]!)), [
    'missing in set policy-r: the end before 10.0.1.0',
    'surplus in set policy-r: the end before 10.0.2.0',
  ])
  t.end()
})

t.test('of IPv6 likewise', t => {
  const all = rangeElements([range('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')])
  const set: NftSet = { kind: 'ranges', key: ['ipv6_addr'], elements: all }
  t.same(elementDifferences('policy-r', set, new Map([readElement(set, boundary('::', false))!])), [])
  t.end()
})
