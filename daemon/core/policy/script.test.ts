import t from 'tap'
import { cluster, pod, policy } from '../../../test/support/policy-objects.ts'
import { cidr } from '../../../test/support/result.ts'
import { affected } from './affected.ts'
import { compile, Compiler } from './compile.ts'
import { difference } from './difference.ts'
import { parsePresent } from './present.ts'
import { loadScript, updateScript } from './script.ts'

const WISH = { node: 'n1', unknownPods: 'closed', log: false } as const
const DB = pod('red/db', ['10.1.0.1'], { app: 'db' })
const WEB = pod('red/web', ['10.1.0.2'], { app: 'web' }, { spec: { nodeName: 'n2' } })
const from = (...peers: readonly object[]) =>
  policy('red/p', { podSelector: { matchLabels: { app: 'db' } }, ingress: [{ from: peers }] })
const WEBS = { podSelector: { matchLabels: { app: 'web' } } }
const ALL = { namespaceSelector: {} }

/** What a change of these objects comes to, hashes left out; and who is affected for ingress. */
function update(policies: readonly ReturnType<typeof from>[], change: (compiler: Compiler) => void) {
  const compiler = new Compiler(WISH)
  for (const each of [DB, WEB]) compiler.setPod(each)
  for (const each of policies) compiler.setPolicy(each)
  compiler.setPodCidrs([cidr('10.1.0.0/24')])
  const before = compiler.compile()
  change(compiler)
  const after = compiler.compile()
  const script = updateScript(after, difference(before, after))
  const { ingress, egress } = affected(before, after)
  const short = script.replaceAll(/-[0-9a-f]{16}/g, '-HASH').replaceAll('inet podwire policy-', '')
  return { lines: short.split('\n').slice(0, -1), ingress: [...ingress], egress: [...egress] }
}

t.test('a pod that comes is an element, and nobody loses a permission', async t => {
  const come = pod('red/web-2', ['10.1.0.3'], { app: 'web' }, { spec: { nodeName: 'n2' } })
  t.same(
    update([from(WEBS)], compiler => compiler.setPod(come)),
    { lines: ['add element pods4-HASH { 10.1.0.3 }'], ingress: [], egress: [] },
  )
})

t.test('a pod that goes is one too, and whom it might reach is affected', async t => {
  t.same(
    update([from(WEBS)], compiler => compiler.deletePod(WEB)),
    { lines: ['delete element pods4-HASH { 10.1.0.2 }'], ingress: ['10.1.0.1'], egress: [] },
  )
})

t.test('a change that changes nothing comes to nothing', async t => {
  t.same(
    update([from(WEBS)], compiler => compiler.setPod(WEB)),
    { lines: [], ingress: [], egress: [] },
  )
})

t.test('a new policy is made before what leads to it', async t => {
  const { lines, ingress } = update([], compiler => compiler.setPolicy(from(WEBS)))
  t.same(lines, [
    'add set pods4-HASH { type ipv4_addr; }',
    'add element pods4-HASH { 10.1.0.2 }',
    'add chain ingress4-HASH',
    'add rule ingress4-HASH ip saddr @policy-pods4-HASH counter return comment "red/p ingress[0]"',
    'add rule ingress4-HASH counter goto policy-drop-ingress comment "isolated by red/p"',
    'add element self4 { 10.1.0.1 . 10.1.0.1 }',
    'add element ingress4 { 10.1.0.1 comment "red/db" : goto policy-ingress4-HASH }',
    'add element dropped-ingress4 { 10.1.0.1 }',
  ])
  t.same(ingress, ['10.1.0.1'])
})

t.test('a changed policy is another chain, and the old one goes after what led to it', async t => {
  const { lines, ingress } = update([from(WEBS)], compiler => compiler.setPolicy(from()))
  t.same(lines, [
    'add chain ingress4-HASH',
    'add rule ingress4-HASH counter return comment "red/p ingress[0]"',
    'add rule ingress4-HASH counter goto policy-drop-ingress comment "isolated by red/p"',
    'delete element ingress4 { 10.1.0.1 }',
    'add element ingress4 { 10.1.0.1 comment "red/db" : goto policy-ingress4-HASH }',
    'flush chain ingress4-HASH',
    'delete chain ingress4-HASH',
    'delete set pods4-HASH',
  ])
  t.same(ingress, ['10.1.0.1'])
})

t.test('whoever is free afterwards is not affected', async t => {
  t.same(update([from(WEBS)], compiler => compiler.deletePolicy(from())).ingress, [])
})

t.test('ranges that only come are added, and when one goes all are written anew', async t => {
  const cidrs = (...all: readonly string[]) =>
    update([from(ALL)], compiler => compiler.setPodCidrs(all.map(cidr))).lines
  t.same(cidrs('10.1.0.0/24', '10.2.0.0/24'), ['add element pod-cidrs4 { 10.2.0.0/24 }'])
  t.same(cidrs('10.1.0.0/16', '10.3.0.0/24'), [
    'flush set pod-cidrs4',
    'add element pod-cidrs4 { 10.1.0.0/16, 10.3.0.0/24 }',
  ])
})

t.test(
  'loadScript() first takes away whatever there is of ours, in the order that the kernel allows',
  async t => {
    const present = { chains: ['policy-a', 'policy-b'], maps: ['policy-m'], sets: ['policy-s'] }
    const lines = loadScript(compile(cluster({}), WISH), present).split('\n')
    t.same(lines.slice(0, 7), [
      'add table inet podwire',
      'flush chain inet podwire policy-a',
      'flush chain inet podwire policy-b',
      'delete map inet podwire policy-m',
      'delete chain inet podwire policy-a',
      'delete chain inet podwire policy-b',
      'delete set inet podwire policy-s',
    ])
    t.equal(lines.join().includes('{  }'), false, 'and has no empty list, which nft would refuse')
  },
)

t.test('parsePresent() finds what is ours, and nothing of others', async t => {
  const listing = {
    nftables: [
      { metainfo: {} },
      { chain: { name: 'policy-forward' } },
      { chain: { name: 'postrouting' } },
      { map: { name: 'policy-ingress4' } },
      { set: { name: 'policy-self4' } },
      { set: { name: 'cluster-pods4' } },
      { rule: { chain: 'policy-forward' } },
    ],
  }
  t.same(parsePresent(listing), {
    chains: ['policy-forward'],
    maps: ['policy-ingress4'],
    sets: ['policy-self4'],
  })
  t.same(parsePresent(undefined), { chains: [], maps: [], sets: [] })
})
