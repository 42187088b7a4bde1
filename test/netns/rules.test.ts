import { execFileSync } from 'node:child_process'
import t from 'tap'
import {
  emptiedChains,
  masqueradeAgainScript,
  masqueradeScript,
  type Owned,
  type Owner,
  parseOwned,
  removalScript,
  sameOwner,
} from '../../cni/core/table.ts'
import { matchesGolden, readGolden, recordGolden } from '../support/golden.ts'
import { cidr } from '../support/result.ts'
import { owner, SCRIPTS } from '../support/rules.ts'
import { Lab } from './lab.ts'

/*
 * The golden scripts of the unit tests, loaded into a kernel, which has to list back the golden listing.
 */

const C1 = owner('c1')
const C2 = owner('c2')
const A5 = [cidr('10.1.0.5/24')]
const A6 = [cidr('10.1.0.6/24')]

/** nft in a namespace of its own, where the veth ends exist that rules are about. */
function table(t: ConstructorParameters<typeof Lab>[0]) {
  const lab = new Lab(t)
  const inside = [`--net=${lab.path(lab.host)}`]
  const nft = (input: string, ...args: string[]): string =>
    execFileSync('nsenter', [...inside, 'nft', ...args], { input, encoding: 'utf8', stdio: 'pipe' })
  const listJson = (): string => nft('', '-j', 'list', 'table', 'inet', 'podwire')
  // The spoof check hangs on the veth; its peer may as well be the other container's.
  const pair = ['link', 'add', C1.veth, 'type', 'veth', 'peer', 'name', C2.veth]
  execFileSync('nsenter', [...inside, 'ip', ...pair])
  return {
    load: (script: string) => nft(script, '-f', '-'),
    list: () => nft('', 'list', 'table', 'inet', 'podwire'),
    listJson,
    owned: (): Owned[] => parseOwned(JSON.parse(listJson())),
    chains: (): string[] =>
      [...nft('', 'list', 'chains').matchAll(/chain (\S+) \{/g)].map(match => match[1]!),
  }
}
type Table = ReturnType<typeof table>

/** What DEL does: everything of one owner, and the chains that no address leads to any more. */
function remove({ owned, load }: Table, whose: Owner): void {
  const all = owned()
  const chosen = all.filter(thing => sameOwner(thing.owner, whose))
  load(removalScript(chosen, emptiedChains(all, chosen)))
}

const ownersOf = ({ owned }: Table): Record<string, string> =>
  Object.fromEntries(
    owned().map(thing => [thing.kind === 'element' ? thing.address : thing.chain, thing.owner.veth]),
  )

for (const file of Object.keys(SCRIPTS)) {
  t.test(`the kernel takes ${file}, also twice, and lists it as before`, async t => {
    const nft = table(t)
    for (const time of ['once', 'twice']) {
      nft.load(readGolden(file))
      t.comment(`loaded ${time}`)
      matchesGolden(t, file.replace('.nft', '.list'), nft.list())
    }
  })
}

t.test('the owners in a live listing are those of the recorded one', async t => {
  const nft = table(t)
  for (const file of Object.keys(SCRIPTS)) nft.load(readGolden(file))
  nft.load(masqueradeScript(C2, A6))
  nft.load('add element inet podwire masquerade4 { 192.0.2.1 : accept, 192.0.2.2 comment "uplink" : accept }')
  recordGolden('nft-list.json', nft.listJson())
  const recorded = parseOwned(JSON.parse(readGolden('nft-list.json')))
  t.same(
    new Set(nft.owned().map(thing => JSON.stringify(thing))),
    new Set(recorded.map(thing => JSON.stringify(thing))),
  )
})

t.test('a chain serves all addresses of its subnet and goes with the last', async t => {
  const nft = table(t)
  nft.load(masqueradeScript(C1, A5))
  nft.load(masqueradeAgainScript(C2, A6))
  t.same(ownersOf(nft), { '10.1.0.5': C1.veth, '10.1.0.6': C2.veth })
  remove(nft, C1)
  t.same(ownersOf(nft), { '10.1.0.6': C2.veth })
  t.same(nft.chains(), ['postrouting', 'leaving-10.1.0.0/24'])
  remove(nft, C2)
  t.same(ownersOf(nft), {})
  t.same(nft.chains(), ['postrouting'])
})

t.test('adding to the table needs the table, the subnet’s chain and a free address', async t => {
  const nft = table(t)
  t.throws(() => nft.load(masqueradeAgainScript(C1, A5)), /No such file/, 'no table')
  nft.load(masqueradeScript(C1, A5))
  t.throws(() => nft.load(masqueradeAgainScript(C1, [cidr('10.2.0.5/24')])), /No such file/, 'no chain')
  t.throws(() => nft.load(masqueradeAgainScript(C2, A5)), /File exists/, 'a former owner')
  t.same(ownersOf(nft), { '10.1.0.5': C1.veth })
})

t.test('an address that is handed out again has its new owner alone', async t => {
  const nft = table(t)
  nft.load(masqueradeScript(C1, A5))
  nft.load(masqueradeScript(C2, A5))
  t.same(ownersOf(nft), { '10.1.0.5': C2.veth })
  remove(nft, C1)
  t.same(ownersOf(nft), { '10.1.0.5': C2.veth }, 'the late DEL of the former owner takes nothing')
})

t.test('an address that leads to the chain of another subnet is refused until it is removed', async t => {
  const nft = table(t)
  nft.load(masqueradeScript(C1, A5))
  const other = masqueradeScript(C2, [cidr('10.1.0.5/16')])
  t.throws(() => nft.load(other), /File exists/)
  remove(nft, C1)
  nft.load(other)
  t.same(ownersOf(nft), { '10.1.0.5': C2.veth })
})

t.test('removing what is removed already fails as a whole and changes nothing', async t => {
  const nft = table(t)
  nft.load(masqueradeScript(C1, A5))
  nft.load(masqueradeScript(C2, A6))
  const all = nft.owned()
  remove(nft, C1)
  t.throws(() => nft.load(removalScript(all, [])), /No such file/)
  t.same(ownersOf(nft), { '10.1.0.6': C2.veth })
})
