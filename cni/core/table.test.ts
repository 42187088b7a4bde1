import fc from 'fast-check'
import t from 'tap'
import { matchesGolden } from '../../test/support/golden.ts'
import { cidr, ip } from '../../test/support/result.ts'
import {
  hostPortStep,
  masqueradeStep,
  owner,
  scriptOf,
  spoofCheckStep,
  STEPS,
} from '../../test/support/rules.ts'
import { masqueradeChains } from './masquerade.ts'
import { type Element, parseElement, splitElements } from './netlink/element.ts'
import { addressField, encodeFields, portField } from './netlink/field.ts'
import { encodeRequest, splitReplies } from './netlink/message.ts'
import {
  commentOf,
  creation,
  elementScript,
  emptiedOf,
  type Owned,
  ownedChain,
  ownedElement,
  type OwnedElement,
  parseOwner,
  placeOf,
  removal,
  sameOwner,
  targetsOf,
} from './table.ts'

const C1 = owner('c1')
const C2 = owner('c2')
const [FIRST, SECOND] = masqueradeStep('c1', '10.1.0.5/24', 'fd00::5/64').elements as [
  OwnedElement,
  OwnedElement,
]
const CHAIN: Owned = { kind: 'chain', chain: `spoof-${C1.veth}`, owner: C1 }

for (const [file, step] of Object.entries(STEPS)) {
  t.test(`the script in test/golden/${file} is what a plan prints`, t => {
    matchesGolden(t, file, scriptOf(step))
    t.end()
  })
}

t.test('a comment tells the owner, and no other text does', t => {
  t.same(parseOwner(commentOf(C1)), C1)
  for (const text of [undefined, '', 'uplink', 'pods veth0', `pods ${C1.veth} `, `a b ${C1.veth}`])
    t.equal(parseOwner(text), undefined, `${text}`)
  t.end()
})

t.test('sameOwner() compares network and veth', t => {
  t.ok(sameOwner(C1, { ...C1 }))
  t.notOk(sameOwner(C1, C2))
  t.notOk(sameOwner(C1, owner('c1', 'others')))
  t.end()
})

t.test('emptiedOf() names the first chain that has fewer rules than it has to have', t => {
  const chains = masqueradeChains([cidr('10.1.0.5/24')])
  const [first, second] = chains
  const counts = (...numbers: number[]) => new Map(chains.map(({ chain }, i) => [chain, numbers[i]!]))
  t.equal(emptiedOf(chains, counts(2, 2)), undefined)
  t.equal(emptiedOf(chains, counts(3, 2)), undefined, 'somebody added one')
  t.equal(emptiedOf(chains, counts(1, 0)), first)
  t.equal(emptiedOf(chains, counts(2, 1)), second)
  t.equal(emptiedOf(chains, new Map()), first)
  t.equal(emptiedOf([], new Map()), undefined)
  t.end()
})

t.test('targetsOf() names the chains that elements lead to, each once', t => {
  t.same(targetsOf([FIRST, SECOND, FIRST, CHAIN]), ['leaving-10.1.0.0/24', 'leaving-fd00__/64'])
  t.same(targetsOf([{ ...FIRST, target: undefined }]), [])
  t.end()
})

t.test('placeOf() tells elements apart that can stand beside each other', t => {
  const places = [FIRST, SECOND, { ...FIRST, map: 'masquerade6' as const }].map(placeOf)
  t.same(places, ['masquerade4 10.1.0.5', 'masquerade6 fd00::5', 'masquerade6 10.1.0.5'])
  const others: OwnedElement = { ...FIRST, owner: C2, target: undefined }
  t.equal(placeOf(others), placeOf(FIRST), 'whoever has it')
  t.end()
})

/** The elements in messages as the kernel would list them. */
const sentElements = (elements: readonly OwnedElement[]): Element[] =>
  creation(elements)
    .map(sent => splitReplies(encodeRequest(sent, 1))[0]!.body)
    .flatMap(splitElements)
    .flatMap(bytes => parseElement(bytes) ?? [])

t.test('ownedElement() reads what creation() writes', t => {
  const arbitrary = fc
    .tuple(
      fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }),
      fc.integer({ min: 0, max: 32 }),
      fc.stringMatching(/^\S{1,64}$/),
    )
    .map(([value, prefix, network]): OwnedElement => {
      const address = { ip: { family: ip('0.0.0.0').family, value }, prefix }
      const [element] = masqueradeStep('c1', '10.1.0.5/24').elements
      const target = { kind: 'goto', chain: masqueradeChains([address])[1]!.chain } as const
      return { ...element!, key: [addressField(address.ip)], target, owner: { ...C1, network } }
    })
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 300 }), elements => {
      const read = sentElements(elements).map(element => ownedElement('masquerade4', element))
      t.same(read, elements)
    }),
  )
  t.end()
})

t.test('elements with values, and of sets, are read as they are written', t => {
  for (const mode of ['l2', 'l3'] as const) {
    const mappings = [{ protocol: 'tcp', hostPort: 1, containerPort: 2, hostIp: undefined }] as const
    for (const element of hostPortStep('c1', mode, mappings, '10.1.0.5/24', 'fd00::5/64').elements) {
      const [sent] = sentElements([element])
      t.strictSame(ownedElement(element.map, sent!), element, placeOf(element))
      const data = { kind: 'value', bytes: Uint8Array.of(1) } as const
      t.strictSame(
        ownedElement(element.map, { ...sent!, data })?.target,
        undefined,
        'a value of another type',
      )
    }
  }
  t.end()
})

t.test('creation() and removal() send one message a map', t => {
  const typesOf = (sent: ReturnType<typeof creation>) => sent.map(({ type }) => type & 0xff)
  t.same(typesOf(creation([FIRST, SECOND, FIRST])), [12, 12])
  t.same(
    typesOf(removal([FIRST, CHAIN, SECOND])),
    [14, 14, 8, 5],
    'elements, then the chain’s rules and itself',
  )
  t.same(removal([]), [])
  t.end()
})

t.test('ownedElement() passes over what is not as ours is', t => {
  const element: Element = {
    key: encodeFields(FIRST.key),
    data: { kind: 'goto', chain: 'x' },
    comment: commentOf(C1),
  }
  t.same(ownedElement('masquerade4', element)?.owner, C1)
  t.equal(ownedElement('masquerade4', { ...element, comment: undefined }), undefined, 'no comment')
  t.equal(ownedElement('masquerade4', { ...element, comment: 'uplink' }), undefined, 'no owner')
  t.equal(ownedElement('masquerade6', element), undefined, 'a key of another type')
  t.end()
})

t.test('an element that leads to no chain is read, so that it can be removed', t => {
  const element: Element = { key: encodeFields(FIRST.key), data: undefined, comment: commentOf(C1) }
  const read = ownedElement('masquerade4', element)
  t.strictSame(read, { ...FIRST, target: undefined })
  const value = { kind: 'value', bytes: encodeFields([portField(1)]) } as const
  t.strictSame(ownedElement('masquerade4', { ...element, data: value }), read, 'nor one that has a value')
  t.equal(
    elementScript([read!]),
    `add element inet podwire masquerade4 { 10.1.0.5 comment "${commentOf(C1)}" }\n`,
  )
  t.end()
})

t.test('ownedChain() knows a spoof check by name and comment together', t => {
  const comment = commentOf(C1)
  t.same(ownedChain({ chain: `spoof-${C1.veth}`, comment }), CHAIN)
  t.equal(ownedChain({ chain: `spoof-${C2.veth}`, comment }), undefined)
  t.equal(ownedChain({ chain: 'postrouting', comment }), undefined)
  t.equal(ownedChain({ chain: `spoof-${C1.veth}`, comment: undefined }), undefined)
  t.match(scriptOf(spoofCheckStep('c1')), `comment "${comment}"`)
  t.end()
})
