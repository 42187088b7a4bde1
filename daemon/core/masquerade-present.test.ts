import t from 'tap'
import { readGolden } from '../../test/support/golden.ts'
import { GOLDEN_WISH, masqueradeWish } from '../../test/support/masquerade.ts'
import { SETS } from './masquerade.ts'
import { differences, parsePresent } from './masquerade-present.ts'

/** What test/daemon/masquerade.test.ts left in a kernel and had listed by nft, things of others among it. */
const listing = (): { nftables: Record<string, any>[] } => JSON.parse(readGolden('cluster-masquerade.json'))

/** The differences after somebody has meddled with entries of one kind: `undefined` removes an entry. */
function after(kind: string, meddle: (entry: any) => unknown): string[] {
  const nftables = listing().nftables.flatMap((item): unknown[] => {
    const entry = item[kind] === undefined ? item[kind] : meddle(item[kind])
    return item[kind] === undefined ? [item] : entry === undefined ? [] : [{ [kind]: entry }]
  })
  return differences(GOLDEN_WISH, parsePresent({ nftables }))
}
const ofChain = (entry: { name?: string; chain?: string }): boolean =>
  [entry.name, entry.chain].includes('cluster-masquerade')
/** Meddles with one set. */
const set =
  (name: string, more: object) =>
  (entry: any): unknown =>
    entry.name === name ? { ...entry, ...more } : entry

t.test('differences() has nothing to say of what the daemon has loaded', async t => {
  t.same(differences(GOLDEN_WISH, parsePresent(listing())), [])
  t.same(
    after('set', entry => ({ ...entry, flags: entry.flags?.[0] })),
    [],
    'nor when nft writes a flag without a list',
  )
})

t.test('differences() misses everything where there is no table, or an empty one', async t => {
  const all = ['chain cluster-masquerade is missing', ...SETS.map(({ name }) => `set ${name} is missing`)]
  t.same(differences(GOLDEN_WISH, parsePresent(undefined)), all)
  t.same(differences(GOLDEN_WISH, parsePresent({ nftables: [] })), all)
})

t.test('differences() names rules that are gone, and counts those that are too many', async t => {
  t.same(
    after('rule', rule => (ofChain(rule) ? undefined : rule)),
    ['10.244.1.0/24', 'fd00:10:244:1::/64'].map(own => `chain cluster-masquerade lacks the rule for ${own}`),
  )
  t.same(
    after('rule', rule => ({ ...rule, comment: undefined })),
    [
      ...['10.244.1.0/24', 'fd00:10:244:1::/64'].map(
        own => `chain cluster-masquerade lacks the rule for ${own}`,
      ),
      'chain cluster-masquerade has surplus rules (2)',
    ],
    'a rule of another making',
  )
  const { nftables } = listing()
  const rule = nftables.find(item => item['rule'] !== undefined && ofChain(item['rule']))
  t.same(differences(GOLDEN_WISH, parsePresent({ nftables: [...nftables, rule] })), [
    'chain cluster-masquerade has surplus rules (1)',
  ])
})

for (const more of [{ type: 'filter' }, { hook: 'input' }, { prio: 50 }, { policy: 'drop' }]) {
  t.test(`differences() sees a chain of ${JSON.stringify(more)}`, async t => {
    t.same(
      after('chain', chain => (ofChain(chain) ? { ...chain, ...more } : chain)),
      ['chain cluster-masquerade is of another kind'],
    )
  })
}

for (const more of [{ type: 'ipv6_addr' }, { flags: [] }, { size: 9 }, { timeout: 9 }]) {
  t.test(`differences() sees a set of ${JSON.stringify(more)}`, async t => {
    t.same(after('set', set('cluster-pods4', more)), ['set cluster-pods4 is of another kind'])
  })
}

t.test('differences() names what a set lacks and what it has too', async t => {
  t.same(after('set', set('no-masquerade4', { elem: [{ prefix: { addr: '192.168.0.0', len: 16 } }] })), [
    'set no-masquerade4 lacks 240.0.0.0/4',
  ])
  const { elem } = listing().nftables.find(item => item['set']?.name === 'cluster-nodes4')!['set']
  t.same(
    after('set', set('cluster-nodes4', { elem: [...elem, { elem: { val: '1.2.3.4', comment: 'x' } }] })),
    ['set cluster-nodes4 has 1.2.3.4 too'],
  )
  t.same(after('set', set('no-masquerade6', { elem: [{ range: ['fd01::1', 'fd01::5'] }, 'odd'] })), [
    'set no-masquerade6 lacks ::102:0/112, fd01::/16, ff00::/8',
    'set no-masquerade6 has {"range":["fd01::1","fd01::5"]}, odd too',
  ])
})

t.test('differences() counts where there are many', async t => {
  const pods = ['1', '2', '3', '4', '5'].map(i => `10.244.${i}.0/24`)
  t.same(
    differences(
      masqueradeWish({ pods }),
      parsePresent({
        nftables: [{ set: { name: 'cluster-pods4', type: 'ipv4_addr', flags: ['interval'] } }],
      }),
    ).filter(line => line.includes('lacks')),
    ['set cluster-pods4 lacks 10.244.1.0/24, 10.244.2.0/24, 10.244.3.0/24 and 2 more'],
  )
})
