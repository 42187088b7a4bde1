import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import fc from 'fast-check'
import t from 'tap'
import { libc } from '../../cni/edge/libc.ts'
import { compile, Compiler } from '../../daemon/core/policy/compile.ts'
import { difference } from '../../daemon/core/policy/difference.ts'
import type { Objects } from '../../daemon/core/policy/objects.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'
import {
  changePolicy,
  droppedPackets,
  loadPolicy,
  policyDifferences,
} from '../../daemon/edge/policy-table.ts'
import { objects } from '../support/policy.ts'
import { cluster, pod, policy } from '../support/policy-objects.ts'
import { cidr } from '../support/result.ts'

/*
 * The policies' part of a kernel's table: loading it, changing it, and finding what others have changed.
 */

// CLONE_NEWNET: the table is that of the process's own namespace.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')

const WORLD = { env: { PATH: process.env['PATH'] } }
const WISH = { node: 'n1', unknownPods: 'closed', log: false } as const

const nft = (command: string): string => execFileSync('nft', [command], { encoding: 'utf8' })
/** The table, its elements sorted: a hash table has its own order. */
const table = (): string =>
  nft('list table inet podwire').replaceAll(/elements = \{([^}]*)\}/g, (_, list: string) =>
    list
      .split(',')
      .map(each => each.trim())
      .toSorted()
      .join(', '),
  )

const WEBS = { podSelector: { matchLabels: { app: 'web' } } }
const DB = policy('red/db', {
  podSelector: { matchLabels: { app: 'db' } },
  policyTypes: ['Ingress', 'Egress'],
  ingress: [
    { from: [WEBS], ports: [{ port: 5432 }] },
    { from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] },
    { from: [{ ipBlock: { cidr: '8000::/1' } }, { namespaceSelector: {} }], ports: [{ port: 80 }] },
  ],
})
const DB_1 = pod('red/db-1', ['10.1.0.1', 'fd00::1'], { app: 'db' })
const WEB = pod('red/web', ['10.1.0.9', 'fd00::9'], { app: 'web' })
const OBJECTS = cluster({
  pods: [DB_1, pod('red/db-2', ['10.1.0.2', 'fd00::2'], { app: 'db' }), WEB],
  policies: [DB],
  podCidrs: [cidr('10.1.0.0/24'), cidr('10.1.1.0/24'), cidr('fd00::/64')],
})
const WANTED = compile(OBJECTS, WISH)

/** A compiler that has been told of these objects. */
function compilerOf({ pods, namespaces, policies, podCidrs, attached }: Objects): Compiler {
  const compiler = new Compiler(WISH)
  for (const each of namespaces) compiler.setNamespace(each)
  for (const each of policies) compiler.setPolicy(each)
  for (const each of pods) compiler.setPod(each)
  for (const each of attached) compiler.attach(each)
  compiler.setPodCidrs(podCidrs)
  return compiler
}

t.test('loadPolicy() loads everything, into no table and into any', async t => {
  await loadPolicy(WORLD, WANTED)
  t.same(await policyDifferences(WANTED), [])
  const first = table()
  nft('add chain inet podwire postrouting; add set inet podwire mine { type ipv4_addr; }')
  nft('add chain inet podwire policy-old; add rule inet podwire policy-old accept')
  nft('flush chain inet podwire policy-forward; flush map inet podwire policy-ingress4')
  await loadPolicy(WORLD, WANTED)
  t.same(await policyDifferences(WANTED), [])
  t.match(table(), /chain postrouting/, 'what others have stays')
  nft('delete chain inet podwire postrouting; delete set inet podwire mine')
  t.equal(table().split('\n').toSorted().join('\n'), first.split('\n').toSorted().join('\n'))
})

t.test('changePolicy() makes elements as nft makes them', async t => {
  const compiler = compilerOf(OBJECTS)
  const before = compiler.compile()
  const long = 'x'.repeat(200)
  compiler.setPod(pod(`red/${long}`, ['10.1.0.3', 'fd00::3'], { app: 'db' }))
  compiler.deletePod(WEB)
  const after = compiler.compile()
  await loadPolicy(WORLD, after)
  const wanted = table()
  await loadPolicy(WORLD, before)
  await changePolicy(WORLD, after, difference(before, after))
  t.equal(table(), wanted)
  t.match(wanted, /10\.1\.0\.3 counter packets 0 bytes 0/)
  t.match(wanted, / comment "red\/x{121}\.\.\."/)
})

t.test('changePolicy() brings the kernel from any rule set to the next', async t => {
  await fc.assert(
    fc.asyncProperty(objects, objects, async (some, others) => {
      const compiler = compilerOf(some)
      let present = compiler.compile()
      await loadPolicy(WORLD, present)
      const steps: (() => void)[] = [
        ...some.pods.map(each => () => compiler.deletePod(each)),
        ...others.pods.map(each => () => compiler.setPod(each)),
        ...others.policies.map(each => () => compiler.setPolicy(each)),
        () => compiler.setPodCidrs(others.podCidrs),
        ...some.policies.map(each => () => compiler.deletePolicy(each)),
        ...others.pods.map(each => () => compiler.deletePod(each)),
      ]
      for (const step of steps) {
        step()
        const wanted = compiler.compile()
        await changePolicy(WORLD, wanted, difference(present, wanted))
        t.same(await policyDifferences(wanted), [])
        present = wanted
      }
    }),
    { numRuns: 8 },
  )
})

t.test('changePolicy() changes nothing where the table is not as thought', async t => {
  const compiler = compilerOf(OBJECTS)
  const before = compiler.compile()
  compiler.setPod(pod('red/db-3', ['10.1.0.3'], { app: 'db' }))
  compiler.deletePod(WEB)
  const after = compiler.compile()
  await loadPolicy(WORLD, before)
  nft('add element inet podwire policy-self4 { 10.1.0.3 . 10.1.0.3 }')
  const there = table()
  await t.rejects(changePolicy(WORLD, after, difference(before, after)), /^EEXIST/)
  t.equal(table(), there)
  nft('flush set inet podwire policy-self4; flush set inet podwire policy-dropped-ingress4')
  await t.rejects(changePolicy(WORLD, before, difference(after, before)), /^ENOENT/)
  await loadPolicy(WORLD, after)
  t.same(await policyDifferences(after), [])
})

t.test('policyDifferences() says what others have changed', async t => {
  const named = (start: string): string =>
    [...WANTED.chains.keys(), ...WANTED.sets.keys()].find(name => name.startsWith(start))!
  const [chain, blocks] = [named('policy-ingress4-'), named('policy-blocks4-')]
  const changes = [
    [
      'delete element inet podwire policy-self4 { 10.1.0.1 . 10.1.0.1 }',
      ['missing in set policy-self4: 10.1.0.1 . 10.1.0.1'],
    ],
    [
      'add element inet podwire policy-dropped-egress6 { ::5 }',
      ['surplus in set policy-dropped-egress6: ::5'],
    ],
    [
      'delete element inet podwire policy-ingress4 { 10.1.0.1 }; add element inet podwire policy-ingress4 { 10.1.0.1 comment "red/db-1" : accept }',
      ['changed in set policy-ingress4: 10.1.0.1'],
    ],
    [
      `flush set inet podwire ${blocks}`,
      [`missing in set ${blocks}: 0.0.0.0, the end before 10.0.0.0, 11.0.0.0`],
    ],
    ['flush chain inet podwire policy-forward', ['changed chains: policy-forward']],
    [`add rule inet podwire ${chain} accept`, [`changed chains: ${chain}`]],
    ['add chain inet podwire policy-x', ['surplus chains: policy-x']],
    ['add set inet podwire policy-y { type ipv4_addr; }', ['surplus sets: policy-y']],
    [
      'flush chain inet podwire policy-forward; delete chain inet podwire policy-forward',
      ['missing chains: policy-forward'],
    ],
    [
      'add table inet others; add chain inet others policy-z; add set inet others policy-z { type mark; }',
      [],
    ],
  ] as const
  for (const [command, words] of changes) {
    await loadPolicy(WORLD, WANTED)
    nft(command)
    t.same(await policyDifferences(WANTED), words, command)
  }
  nft('delete table inet podwire')
  const all = await policyDifferences(WANTED)
  t.equal(all.length, 2)
  t.match(all.join(), /^missing chains: .* more,missing sets: .* more$/)
})

/** Sends a packet to an address that nobody answers at. */
async function send(to: string): Promise<void> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4')
  // A packet that is dropped as it leaves is refused.
  await new Promise<void>(resolve => socket.send('?', 9, to, () => resolve()))
  socket.close()
}

t.test('droppedPackets() counts for each pod and direction', async t => {
  execFileSync('sh', [
    '-ec',
    'ip link set lo up; for a in 10.1.0.1 10.1.0.2 fd00::2; do ip address add $a dev lo; done',
  ])
  await loadPolicy(WORLD, WANTED)
  const nothing = droppedPackets()
  t.equal(nothing.length, 8)
  t.same(
    nothing.filter(({ packets }) => packets > 0),
    [],
  )
  nft(
    'add chain inet podwire test { type filter hook output priority 0; }; add rule inet podwire test udp dport 9 jump policy-drop-ingress',
  )
  for (const address of ['10.1.0.1', '10.1.0.1', '10.1.0.1', 'fd00::2']) await send(address)
  t.same(
    droppedPackets().filter(({ packets }) => packets > 0),
    [
      { direction: 'ingress', address: '10.1.0.1', packets: 3 },
      { direction: 'ingress', address: 'fd00::2', packets: 1 },
    ],
  )
  nft('delete table inet podwire')
  t.same(droppedPackets(), [], 'without a table')
})

t.test('policyDifferences() finds nothing where nothing is wanted', async t => {
  const empty: RuleSet = { chains: new Map(), sets: new Map() }
  t.same(await policyDifferences(empty), [])
})
