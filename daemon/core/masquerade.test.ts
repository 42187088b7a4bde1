import t from 'tap'
import { matchesGolden } from '../../test/support/golden.ts'
import { GOLDEN_WISH, masqueradeWish } from '../../test/support/masquerade.ts'
import { elementsScript, masqueradeScript, type Present, SETS, setsOf } from './masquerade.ts'

const NOTHING: Present = { chain: 'missing', rules: [], sets: new Map() }
const linesOf = (script: string): string[] => script.split('\n').slice(0, -1)
const changes = (before: Parameters<typeof masqueradeWish>[0], after: Parameters<typeof masqueradeWish>[0]) =>
  linesOf(elementsScript(setsOf(masqueradeWish(before)), setsOf(masqueradeWish(after))))

t.test('the script in test/golden/cluster-masquerade.nft is what the daemon loads', async t => {
  matchesGolden(t, 'cluster-masquerade.nft', masqueradeScript(GOLDEN_WISH, NOTHING))
})

t.test('masqueradeScript() masquerades nothing as long as the node has no podCIDR', async t => {
  const script = masqueradeScript(
    masqueradeWish({ pods: ['10.244.2.0/24'], nodes: ['172.30.0.12'] }),
    NOTHING,
  )
  t.notMatch(script, /add rule|saddr/)
  t.notMatch(script, /\{ *\}/, 'and has no empty list, which nft would refuse')
})

t.test('masqueradeScript() puts each podCIDR of the node among the networks of pods', async t => {
  const script = masqueradeScript(masqueradeWish({ own: ['10.244.1.0/24'] }), NOTHING)
  t.match(script, /^add element inet podwire cluster-pods4 \{ 10\.244\.1\.0\/24 \}$/m)
})

t.test('masqueradeScript() has one rule for podCIDRs that lie in each other', async t => {
  const script = masqueradeScript(
    masqueradeWish({ own: ['10.1.0.0/16', '10.1.7.0/24', '10.1.0.0/16'] }),
    NOTHING,
  )
  t.same(
    linesOf(script).filter(line => line.includes('saddr')).length,
    1,
    'or a packet would be looked at twice',
  )
})

t.test('masqueradeScript() first removes what the kernel could not change', async t => {
  const first = (present: Present): string[] =>
    linesOf(masqueradeScript(masqueradeWish({}), present)).slice(1, -2 - 2 * SETS.length)
  t.same(first(NOTHING), [])
  t.same(first({ chain: 'right', rules: [], sets: new Map() }), [
    'flush chain inet podwire cluster-masquerade',
  ])
  const sets = new Map([
    ['cluster-pods4', { kind: 'other' as const, elements: [] }],
    ['cluster-pods6', { kind: 'right' as const, elements: [] }],
  ])
  t.same(first({ chain: 'other', rules: [], sets }), [
    'flush chain inet podwire cluster-masquerade',
    'delete chain inet podwire cluster-masquerade',
    'delete set inet podwire cluster-pods4',
  ])
})

t.test('elementsScript() is empty when the sets stay the same', async t => {
  t.equal(elementsScript(setsOf(GOLDEN_WISH), setsOf(GOLDEN_WISH)), '')
})

t.test('elementsScript() only adds when nothing is removed', async t => {
  t.same(changes({ nodes: ['172.30.0.11'] }, { nodes: ['172.30.0.11', '172.30.0.12', 'fd00::1'] }), [
    'add element inet podwire cluster-nodes4 { 172.30.0.12 }',
    'add element inet podwire cluster-nodes6 { fd00::1 }',
  ])
})

t.test('elementsScript() removes what may be gone already', async t => {
  t.same(changes({ pods: ['10.244.2.0/24'] }, {}), [
    'add element inet podwire cluster-pods4 { 10.244.2.0/24 }',
    'delete element inet podwire cluster-pods4 { 10.244.2.0/24 }',
  ])
})

t.test('elementsScript() says nothing of a network that comes and goes within another', async t => {
  t.same(changes({ pods: ['10.0.0.0/8'] }, { pods: ['10.0.0.0/8', '10.1.0.0/16'] }), [])
})

t.test('elementsScript() brings back what lay in a network that goes', async t => {
  t.same(
    changes(
      { pods: ['10.1.0.0/16', '10.1.2.0/24', '10.9.0.0/16'] },
      { pods: ['10.1.2.0/24', '10.9.0.0/16'] },
    ),
    [
      'flush set inet podwire cluster-pods4',
      'add element inet podwire cluster-pods4 { 10.1.2.0/24, 10.9.0.0/16 }',
    ],
  )
})
