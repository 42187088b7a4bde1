import t from 'tap'
import { matchesGolden, readGolden } from '../../test/support/golden.ts'
import { cidr } from '../../test/support/result.ts'
import { owner, SCRIPTS } from '../../test/support/rules.ts'
import {
  chainsBehind,
  emptiedChains,
  emptiedOf,
  type FilledChain,
  masqueradeAgainScript,
  masqueradeChains,
  masqueradeScript,
  type Owned,
  parseOwned,
  removalScript,
  sameOwner,
} from './table.ts'

/** What test/netns/rules.test.ts left in a kernel and had listed by nft: c1 with both scripts, c2 masqueraded. */
const LISTED = parseOwned(JSON.parse(readGolden('nft-list.json')))
const byChain = (a: FilledChain, b: FilledChain) => (a.chain < b.chain ? -1 : 1)
const C1 = owner('c1')
const C2 = owner('c2')
const ofC1 = LISTED.filter(thing => sameOwner(thing.owner, C1))

for (const [file, script] of Object.entries(SCRIPTS)) {
  t.test(`the script in test/golden/${file} is what a plan loads`, t => {
    matchesGolden(t, file, script)
    t.end()
  })
}

t.test(
  'masqueradeAgainScript() only creates elements: it fails where the table or the owner is another',
  t => {
    t.equal(
      masqueradeAgainScript(C1, [cidr('10.1.0.5/24'), cidr('fd00::5/64')]),
      'create element inet podwire masquerade4 { 10.1.0.5 comment "pods vethd72e032fedd" : goto leaving-10.1.0.0/24 }\n' +
        'create element inet podwire masquerade6 { fd00::5 comment "pods vethd72e032fedd" : goto leaving-fd00__/64 }\n',
    )
    t.end()
  },
)

t.test('masqueradeChains() counts the rules that the script puts into each chain', t => {
  const addresses = [cidr('10.1.0.5/24'), cidr('fd00::5/64')]
  const lines = masqueradeScript(C1, addresses).split('\n')
  t.same(
    masqueradeChains(addresses),
    ['postrouting', 'leaving-10.1.0.0/24', 'leaving-fd00__/64'].map(chain => ({
      chain,
      rules: lines.filter(line => line.startsWith(`add rule inet podwire ${chain} `)).length,
    })),
  )
  t.end()
})

t.test('chainsBehind() finds the chains of the elements that are listed, each once', t => {
  const chains = ['postrouting', 'leaving-10.1.0.0/24', 'leaving-fd00__/64']
  t.same(new Set(chainsBehind(LISTED).map(({ chain }) => chain)), new Set(chains))
  t.equal(chainsBehind(LISTED).length, chains.length)
  t.same(
    chainsBehind(ofC1).toSorted(byChain),
    masqueradeChains([cidr('10.1.0.5/24'), cidr('fd00::5/64')]).toSorted(byChain),
  )
  t.same(
    chainsBehind([]).map(({ chain }) => chain),
    ['postrouting'],
  )
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

t.test('parseOwned() finds in a listing what carries an owner', t => {
  const v4 = { kind: 'element', map: 'masquerade4', chain: 'leaving-10.1.0.0/24' }
  const v6 = { kind: 'element', map: 'masquerade6', chain: 'leaving-fd00__/64' }
  t.same(
    new Set(LISTED.map(thing => JSON.stringify(thing, Object.keys(thing).toSorted()))).size,
    LISTED.length,
    'each once',
  )
  t.same(
    ofC1.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    [
      { kind: 'chain', chain: `spoof-${C1.veth}`, owner: C1 },
      { ...v4, address: '10.1.0.5', owner: C1 },
      { ...v6, address: 'fd00::5', owner: C1 },
    ],
  )
  t.same(
    LISTED.filter(thing => sameOwner(thing.owner, C2)),
    [{ ...v4, address: '10.1.0.6', owner: C2 }],
  )
  t.equal(LISTED.length, 4, 'and nothing that is somebody else’s')
  t.end()
})

t.test('parseOwned() passes over what is not as ours is', t => {
  const rule = (chain: string, comment?: string) => ({ rule: { chain, comment } })
  const map = (elem: unknown) => ({ map: { name: 'masquerade4', elem } })
  const comment = `pods ${C1.veth}`
  const foreign = [
    {},
    { metainfo: { version: '1.0.6' } },
    rule('spoof-x'),
    rule('spoof-x', 'uplink'),
    rule('postrouting', comment),
    map(undefined),
    map([['10.1.0.9', { goto: { target: 'x' } }]]),
    map([[{ elem: { val: '10.1.0.9', comment: 'uplink' } }, { goto: { target: 'x' } }]]),
    map([[{ elem: { val: { prefix: { addr: '10.1.0.0', len: 24 } }, comment } }, { goto: { target: 'x' } }]]),
  ]
  t.same(parseOwned({ nftables: foreign }), [])
  t.same(parseOwned({}), [])
  t.same(parseOwned(undefined), [])
  t.end()
})

t.test('parseOwned() keeps an element that leads to no chain, so that it can be removed', t => {
  const elem = [[{ elem: { val: '10.1.0.5', comment: `pods ${C1.veth}` } }, { accept: null }]]
  const owned = parseOwned({ nftables: [{ map: { name: 'masquerade4', elem } }] })
  t.match(owned, [{ address: '10.1.0.5', chain: '' }])
  t.same(emptiedChains(owned, owned), [])
  t.end()
})

t.test('emptiedChains() names a subnet’s chain when its last address goes', t => {
  const ofC2 = LISTED.filter(thing => sameOwner(thing.owner, C2))
  t.same(emptiedChains(LISTED, ofC2), [], 'c1 is in the same subnet')
  t.same(emptiedChains(LISTED, ofC1), ['leaving-fd00__/64'], 'c2 keeps the chain of 10.1.0.0/24')
  t.same(emptiedChains(LISTED, LISTED).toSorted(), ['leaving-10.1.0.0/24', 'leaving-fd00__/64'])
  t.end()
})

t.test('removalScript() removes elements before the chains that they lead to', t => {
  const owned: Owned[] = [
    { kind: 'chain', chain: 'spoof-v', owner: C1 },
    { kind: 'element', map: 'masquerade4', address: '10.1.0.5', chain: 'leaving-10.1.0.0/24', owner: C1 },
  ]
  t.equal(
    removalScript(owned, ['leaving-10.1.0.0/24']),
    [
      'delete element inet podwire masquerade4 { 10.1.0.5 }',
      'flush chain inet podwire spoof-v',
      'delete chain inet podwire spoof-v',
      'flush chain inet podwire leaving-10.1.0.0/24',
      'delete chain inet podwire leaving-10.1.0.0/24',
      '',
    ].join('\n'),
  )
  t.equal(removalScript([], []), '')
  t.end()
})

t.test('sameOwner() compares network and veth', t => {
  t.ok(sameOwner(C1, { ...C1 }))
  t.notOk(sameOwner(C1, C2))
  t.notOk(sameOwner(C1, owner('c1', 'others')))
  t.end()
})
