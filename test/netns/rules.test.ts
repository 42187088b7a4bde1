import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { masqueradeElements } from '../../cni/core/masquerade.ts'
import { formatFields } from '../../cni/core/netlink/field.ts'
import type { PortMapping } from '../../cni/core/port-mapping.ts'
import type { RulesStep } from '../../cni/core/step.ts'
import { creation, elementScript, type Owned, type OwnedElement, removal } from '../../cni/core/table.ts'
import { applyRules } from '../../cni/edge/apply-rules.ts'
import { libc } from '../../cni/edge/libc.ts'
import { isErrno } from '../../cni/edge/netlink.ts'
import { Site } from '../../cni/edge/site.ts'
import { changeTable, listOwned, removeOwned, removeRulesOf } from '../../cni/edge/table.ts'
import type { World } from '../../cni/spec/world.ts'
import { matchesGolden, readGolden } from '../support/golden.ts'
import { cidr, ip } from '../support/result.ts'
import { hostPortStep, masqueradeStep, owner, scriptOf, spoofCheckStep, STEPS } from '../support/rules.ts'
import { fakeWorld } from '../support/world.ts'

/*
 * The table in a kernel: nft loads the golden scripts and lists the golden listings, netlink writes elements as nft
 * does, and reads what nft writes.
 */

// CLONE_NEWNET: the table is that of the process's own namespace, which others in this run have tables in, too.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')

const C1 = owner('c1')
const C2 = owner('c2')
const LIST = ['list', 'table', 'inet', 'podwire'] as const

const nft = (input: string, ...args: string[]): string =>
  execFileSync('nft', args, { input, encoding: 'utf8', stdio: 'pipe' })
const load = (script: string): string => nft(script, '-f', '-')
const list = (): string => nft('', ...LIST)

/** What the table holds as `nft -j` shows it, without what depends on the order in which it was made. */
const listJson = (): unknown =>
  JSON.parse(nft('', '-j', ...LIST), (key, value) => {
    if (key === 'handle') return undefined
    return key === 'elem' && Array.isArray(value) ? value.map(item => JSON.stringify(item)).toSorted() : value
  })

// The spoof check hangs on the veth; its peer may as well be the other container's.
execFileSync('ip', ['link', 'add', C1.veth, 'type', 'veth', 'peer', 'name', C2.veth])

t.beforeEach(() => load('add table inet podwire; delete table inet podwire'))

/** What there is of each owner, by what it is about. */
const ownersOf = (owned: readonly Owned[] = listOwned()): Record<string, string> =>
  Object.fromEntries(
    owned.map(thing => [thing.kind === 'chain' ? thing.chain : formatFields(thing.key), thing.owner.veth]),
  )

const chains = (): string[] =>
  [...nft('', 'list', 'chains').matchAll(/chain (\S+) \{/g)].map(match => match[1]!)

/** A world in which every start of nft is counted. */
function counting(t: Test): { world: World; starts: () => number } {
  const folder = mkdtempSync('/run/nft-')
  t.teardown(() => rmSync(folder, { recursive: true }))
  const log = `${folder}/log`
  writeFileSync(log, '')
  writeFileSync(
    `${folder}/nft`,
    `#!/bin/sh\necho start >>${log}\nPATH=${process.env['PATH']}\nexec nft "$@"\n`,
  )
  chmodSync(`${folder}/nft`, 0o755)
  const { world } = fakeWorld({ env: { PATH: folder } })
  return { world, starts: () => readFileSync(log, 'utf8').split('\n').length - 1 }
}

/** Applies a step as ADD does; answers how often nft was started for it. */
async function apply(t: Test, step: RulesStep): Promise<number> {
  const { world, starts } = counting(t)
  using host = new Site()
  await applyRules(step, host, world)
  return starts()
}

const refuses = (change: () => void, errno: string): boolean => {
  try {
    change()
    return false
  } catch (error) {
    return isErrno(error, errno)
  }
}

for (const [file, step] of Object.entries(STEPS)) {
  const listing = file.replace('.nft', '.list')
  t.test(`the kernel takes ${file}, also twice, and lists it as before`, async t => {
    for (const time of ['once', 'twice']) {
      load(readGolden(file))
      t.comment(`loaded ${time}`)
      matchesGolden(t, listing, list())
    }
  })

  t.test(`a step leaves what ${file} leaves, also when it is applied again`, async t => {
    t.equal(await apply(t, step), 1)
    matchesGolden(t, listing, list())
    await apply(t, step)
    matchesGolden(t, listing, list())
  })
}

/** Elements that netlink and nft make and read in turn: what the one made is what the other sees. */
function agree(t: Test, elements: readonly OwnedElement[]): void {
  const empty = list()
  changeTable(creation(elements))
  t.same(ownersOf(), ownersOf(elements))
  const ours = listJson()
  changeTable(removal(listOwned()))
  t.equal(list(), empty)
  load(elementScript(elements))
  t.same(listJson(), ours)
  t.same(ownersOf(), ownersOf(elements))
  changeTable(removal(elements))
}

const arbitraryTag = fc.stringMatching(/^[a-zA-Z0-9_.-]{1,64}$/)

t.test('what netlink creates nft lists like its own, and netlink reads what nft creates', async t => {
  const arbitrary = fc.uniqueArray(
    fc.oneof(
      fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.1.${a}.${b}/16`),
      fc.nat(0xffff).map(n => `fd00::${n.toString(16)}/64`),
    ),
    { minLength: 1, maxLength: 20 },
  )
  load(masqueradeStep('c1', '10.1.0.5/16', 'fd00::5/64').script)
  fc.assert(
    fc.property(arbitrary, arbitraryTag, (texts, network) =>
      agree(t, masqueradeElements({ ...C1, network }, texts.map(cidr))),
    ),
    { numRuns: 25 },
  )
})

t.test('the same holds for ports of the node', async t => {
  const port = fc.integer({ min: 1, max: 65535 })
  const mapping = fc.record({
    protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
    hostPort: port,
    containerPort: port,
    hostIp: fc.constantFrom(undefined, ip('192.0.2.1'), ip('2001:db8::1')),
  })
  const place = ({ protocol, hostPort, hostIp }: PortMapping): string =>
    `${protocol} ${hostPort} ${hostIp?.value}`
  const mappings = fc.uniqueArray(mapping, { minLength: 1, maxLength: 20, selector: place })
  for (const mode of ['l2', 'l3'] as const) {
    const addresses = ['10.1.0.5/24', 'fd00::5/64']
    const every = { protocol: 'tcp', hostPort: 1, containerPort: 1, hostIp: undefined } as const
    load(hostPortStep('c1', mode, [every], ...addresses).script)
    fc.assert(
      fc.property(mappings, given => agree(t, hostPortStep('c1', mode, given, ...addresses).elements)),
      { numRuns: 15 },
    )
  }
})

t.test('what is somebody else’s is not seen', async t => {
  for (const file of ['rules-masquerade.nft', 'rules-spoof-check.nft']) load(scriptOf(STEPS[file]!))
  load('add element inet podwire masquerade4 { 192.0.2.1 : accept, 192.0.2.2 comment "uplink" : accept }')
  load(`add rule inet podwire postrouting counter comment "pods ${C1.veth}"`)
  t.same(ownersOf(), { '10.1.0.5': C1.veth, 'fd00::5': C1.veth, [`spoof-${C1.veth}`]: C1.veth })
  removeOwned(() => true)
  t.same(ownersOf(), {})
  t.match(list(), /192\.0\.2\.1 : accept/)
})

t.test('without a table there is nothing, and nothing to remove', async t => {
  t.same(listOwned(), [])
  removeRulesOf(C1)
  removeOwned(() => true)
  t.equal(nft('', 'list', 'tables'), '')
})

t.test('nft is started for the first address of a subnet, and for no other', async t => {
  t.equal(await apply(t, masqueradeStep('c1', '10.1.0.5/24', 'fd00::5/64')), 1)
  t.equal(await apply(t, masqueradeStep('c2', '10.1.0.6/24', 'fd00::6/64')), 0)
  t.equal(await apply(t, masqueradeStep('c3', '10.2.0.6/24')), 1)
})

t.test('nft is started for the first mapped port, and for no other', async t => {
  const port = (containerId: string, hostPort: number, address: string, mode: 'l2' | 'l3' = 'l2') => {
    const mapping = { protocol: 'udp', hostPort, containerPort: 53, hostIp: undefined } as const
    return hostPortStep(containerId, mode, [mapping], address)
  }
  t.equal(await apply(t, port('c1', 8081, '10.1.0.5/24')), 1)
  t.equal(await apply(t, port('c2', 8082, '10.1.0.6/24')), 0)
  t.equal(await apply(t, port('c3', 8083, '10.2.0.6/24', 'l3')), 0)
  removeRulesOf(C1)
  removeRulesOf(C2)
  t.notOk(chains().includes('within-10.1.0.0/24'), 'a subnet’s chain goes with the last')
})

t.test('a chain serves all addresses of its subnet and goes with the last', async t => {
  await apply(t, masqueradeStep('c1', '10.1.0.5/24'))
  await apply(t, masqueradeStep('c2', '10.1.0.6/24'))
  t.same(ownersOf(), { '10.1.0.5': C1.veth, '10.1.0.6': C2.veth })
  removeRulesOf(C1)
  t.same(ownersOf(), { '10.1.0.6': C2.veth })
  t.same(chains(), ['postrouting', 'leaving-10.1.0.0/24'])
  removeRulesOf(C2)
  t.same(ownersOf(), {})
  t.same(chains(), ['postrouting'])
})

t.test('elements need their map, their chain and a free place', async t => {
  const { elements, script } = masqueradeStep('c1', '10.1.0.5/24')
  t.ok(
    refuses(() => changeTable(creation(elements)), 'ENOENT'),
    'no table',
  )
  load(script)
  changeTable(creation(elements))
  const elsewhere = masqueradeStep('c1', '10.2.0.5/24').elements
  t.ok(
    refuses(() => changeTable(creation(elsewhere)), 'ENOENT'),
    'no chain',
  )
  const others = masqueradeStep('c2', '10.1.0.6/24', '10.1.0.5/24').elements
  t.ok(
    refuses(() => changeTable(creation(others)), 'EEXIST'),
    'a former owner',
  )
  t.same(ownersOf(), { '10.1.0.5': C1.veth }, 'all or nothing')
})

t.test('an address that is handed out again has its new owner alone', async t => {
  await apply(t, masqueradeStep('c1', '10.1.0.5/24'))
  t.equal(await apply(t, masqueradeStep('c2', '10.1.0.5/24')), 0)
  t.same(ownersOf(), { '10.1.0.5': C2.veth })
  removeRulesOf(C1)
  t.same(ownersOf(), { '10.1.0.5': C2.veth }, 'the late DEL of the former owner takes nothing')
})

t.test('an address that leads to the chain of another subnet is led to its own', async t => {
  await apply(t, masqueradeStep('c1', '10.1.0.5/24'))
  await apply(t, masqueradeStep('c2', '10.1.0.5/16'))
  t.same(ownersOf(), { '10.1.0.5': C2.veth })
  t.match(list(), /goto leaving-10\.1\.0\.0\/16/)
})

t.test('removing what is removed already fails as a whole and changes nothing', async t => {
  await apply(t, masqueradeStep('c1', '10.1.0.5/24'))
  await apply(t, masqueradeStep('c2', '10.1.0.6/24'))
  const all = listOwned()
  removeRulesOf(C1)
  t.ok(refuses(() => changeTable(removal(all)), 'ENOENT'))
  t.same(ownersOf(), { '10.1.0.6': C2.veth })
})

t.test('a step that cannot be applied leaves no chain behind', async t => {
  const step = masqueradeStep('c1', '10.1.0.5/24')
  const [first] = step.elements as [OwnedElement]
  const elements = [first, { ...first, target: { kind: 'goto', chain: 'missing' } } as const]
  await t.rejects(apply(t, { ...step, elements }))
  t.same(chains(), ['postrouting'])
})

t.test('removing an attachment starts no nft, spoof check included', async t => {
  await apply(t, masqueradeStep('c1', '10.1.0.5/24'))
  await apply(t, spoofCheckStep('c1'))
  t.ok(chains().includes(`spoof-${C1.veth}`))
  removeRulesOf({ ...C1, network: 'others' })
  t.equal(Object.keys(ownersOf()).length, 2, 'the same attachment of another network keeps its own')
  removeRulesOf(C1)
  t.same(chains(), ['postrouting'])
})

t.test('thousands of elements of many owners are created and removed', async t => {
  load(masqueradeStep('c1', '10.1.0.5/16', 'fd00::5/64').script)
  const many = Array.from({ length: 3000 }, (_, i) => {
    const addresses = [`10.1.${i >> 8}.${i & 255}/16`, `fd00::${i.toString(16)}/64`].map(cidr)
    return masqueradeElements(owner(`c${i}`), addresses)
  })
  changeTable(creation(many.flat()))
  t.equal(listOwned().length, 6000)
  removeRulesOf(C1)
  t.equal(listOwned().length, 5998)
  removeOwned(() => true)
  t.same(listOwned(), [])
  t.same(chains(), ['postrouting'])
})
