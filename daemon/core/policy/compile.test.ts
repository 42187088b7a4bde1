import t from 'tap'
import { attachment, cluster, namespace, pod, policy, ports } from '../../../test/support/policy-objects.ts'
import { cidr } from '../../../test/support/result.ts'
import { compile, Compiler, type Wish } from './compile.ts'
import type { Objects } from './objects.ts'
import { formatRule } from './render.ts'
import type { RuleSet } from './rule-set.ts'

const WISH: Wish = { node: 'n1', unknownPods: 'closed', log: false }
const made = (some: Partial<Objects>, wish: Partial<Wish> = {}): RuleSet =>
  compile(cluster(some), { ...WISH, ...wish })

/** The chains that are always there. */
const BASE_CHAINS = [
  'denied-ingress',
  'denied-egress',
  'drop-ingress',
  'drop-egress',
  'midstream',
  'ingress',
  'egress',
  'sender',
  'source',
  'forward',
]

/** A set's keys, and where they lead. */
const inside = ({ sets }: RuleSet, name: string): string[] =>
  [...sets.get(name)!.elements].map(([key, { target }]) => (target === undefined ? key : `${key} ${target}`))
const named = ({ sets, chains }: RuleSet, start: string): string[] =>
  [...sets.keys(), ...chains.keys()].filter(name => name.startsWith(start))

/** The rules of the chain that an address leads to, hashes left out. */
function rulesFor(rules: RuleSet, map: string, address: string): string[] {
  const chain = rules.sets.get(map)!.elements.get(address)!.target!
  return rules.chains.get(chain)!.rules.map(rule => formatRule(rule).replaceAll(/-[0-9a-f]{16}/g, '-HASH'))
}

const WEB = pod('red/web', ['10.1.0.1'], { app: 'web' }, { spec: ports('http:8080/TCP') })
const DB = pod(
  'red/db',
  ['10.1.0.2', 'fd00:1::2'],
  { app: 'db' },
  { spec: ports('http:80/TCP', 'sql:5432/TCP') },
)
const selecting = (app: string) => ({ podSelector: { matchLabels: { app } } })
const ingress = (...rules: readonly object[]) => policy('red/p', { ingress: rules })
const egress = (...rules: readonly object[]) => policy('red/p', { policyTypes: ['Egress'], egress: rules })
const ingressRules = (...rules: readonly object[]): string[] =>
  rulesFor(made({ pods: [WEB, DB], policies: [ingress(...rules)] }), 'policy-ingress4', '10.1.0.2')
const egressRules = (...rules: readonly object[]): string[] =>
  rulesFor(made({ pods: [WEB, DB], policies: [egress(...rules)] }), 'policy-egress4', '10.1.0.2')
const END = 'counter goto policy-drop-ingress comment "isolated by red/p"'

t.test('without policies there is what is always there, and nothing in it', async t => {
  const { chains, sets } = made({ pods: [WEB, DB] })
  t.same(
    [...chains.keys()],
    BASE_CHAINS.map(name => `policy-${name}`),
  )
  t.equal([...sets.values()].filter(({ elements }) => elements.size > 0).length, 0)
})

t.test('an isolated pod leads to a chain by each address, and is counted where it is dropped', async t => {
  const rules = made({ pods: [DB], policies: [ingress()] })
  const [chain4, chain6] = [4, 6].map(version => named(rules, `policy-ingress${version}-`)[0])
  t.same(inside(rules, 'policy-ingress4'), [`10.1.0.2 ${chain4}`])
  t.same(inside(rules, 'policy-ingress6'), [`fd00:1::2 ${chain6}`])
  t.same(inside(rules, 'policy-egress4'), [])
  t.same(inside(rules, 'policy-dropped-ingress4'), ['10.1.0.2'])
  t.same(inside(rules, 'policy-self6'), ['fd00:1::2 . fd00:1::2'])
  t.same(rulesFor(rules, 'policy-ingress4', '10.1.0.2'), [END])
})

t.test('the chain of a pod has a rule for each set of peers and each protocol', async t => {
  const from = [selecting('web'), { ipBlock: { cidr: '10.0.0.0/8' } }]
  t.same(ingressRules({ from, ports: [{ port: 80 }, { protocol: 'UDP' }] }), [
    'ip saddr @policy-pods4-HASH meta l4proto tcp th dport 80 counter return comment "red/p ingress[0]"',
    'ip saddr @policy-pods4-HASH meta l4proto udp counter return comment "red/p ingress[0]"',
    'ip saddr @policy-blocks4-HASH meta l4proto tcp th dport 80 counter return comment "red/p ingress[0]"',
    'ip saddr @policy-blocks4-HASH meta l4proto udp counter return comment "red/p ingress[0]"',
    END,
  ])
})

t.test('who and what is not restricted is not asked for', async t => {
  t.same(ingressRules({}), ['counter return comment "red/p ingress[0]"', END])
  t.same(ingressRules({ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] })[0], ingressRules({})[0])
  t.same(
    ingressRules({ from: [{ ipBlock: { cidr: 'fd00::/8' } }] }),
    [END],
    'what is of IPv6 only is no rule of IPv4',
  )
})

t.test('what two rules allow alike is one rule, of both', async t => {
  const from = { from: [selecting('web')] }
  t.same(ingressRules(from, {}, from), [
    'ip saddr @policy-pods4-HASH counter return comment "red/p ingress[0] and 1 more"',
    'counter return comment "red/p ingress[1]"',
    END,
  ])
})

t.test('a named port is the own number of the pod for ingress, and that of the peer for egress', async t => {
  const http = { ports: [{ port: 'http' }, { port: 81 }] }
  const rules = made({ pods: [WEB, DB], policies: [ingress(http)] })
  t.match(rulesFor(rules, 'policy-ingress4', '10.1.0.1')[0], /tcp th dport \{ 81, 8080 \} counter/)
  t.match(rulesFor(rules, 'policy-ingress4', '10.1.0.2')[0], /tcp th dport 80-81 counter/)
  t.same(ingressRules({ ports: [{ port: 'nobody' }] }), [END])
  t.match(egressRules({ ...http, to: [selecting('db')] }), [
    /^ip daddr @policy-pods4-HASH meta l4proto tcp th dport 81 /,
    /^ip daddr \. meta l4proto \. th dport @policy-ports4-HASH counter return/,
    /goto policy-drop-egress/,
  ])
})

t.test('the set of a named port has the numbers of all peers that have it', async t => {
  const ports = [{ port: 'http' }, { port: 'sql' }, { protocol: 'UDP', port: 'sql' }]
  const of = (rule: object): string[] => {
    const rules = made({
      pods: [WEB, DB, pod('red/bare', ['10.1.0.3'])],
      policies: [egress({ ports, ...rule })],
    })
    return inside(rules, named(rules, 'policy-ports4-')[0]!)
  }
  t.same(of({}), ['10.1.0.1 . tcp . 8080', '10.1.0.2 . tcp . 80', '10.1.0.2 . tcp . 5432'])
  t.same(of({ to: [selecting('db')] }), ['10.1.0.2 . tcp . 80', '10.1.0.2 . tcp . 5432'])
  t.same(of({ to: [{ ipBlock: { cidr: '10.1.0.1/32' } }] }), ['10.1.0.1 . tcp . 8080'])
})

t.test('policies that ask for the same share a set, whatever order they say it in', async t => {
  const both = [selecting('web'), selecting('db')]
  const policies = [both, both.toReversed()].map((from, i) => policy(`red/p${i}`, { ingress: [{ from }] }))
  const rules = made({ pods: [WEB, DB], policies })
  t.same(named(rules, 'policy-pods4-').length, 1)
  t.same(inside(rules, named(rules, 'policy-pods4-')[0]!).sort(), ['10.1.0.1', '10.1.0.2'])
  const elsewhere = policy('blue/p', { ingress: [{ from: both }] })
  const blue = pod('blue/web', ['10.1.0.3'])
  t.same(
    named(made({ pods: [WEB, blue], policies: [...policies, elsewhere] }), 'policy-pods4-').length,
    2,
    'but in another namespace the same labels are of others',
  )
})

t.test('pods with the same policies share a chain, and others do not', async t => {
  const twin = pod('red/twin', ['10.1.0.9'], { app: 'db' })
  const policies = [ingress(), policy('red/only-web', selecting('web'))]
  const rules = made({ pods: [WEB, DB, twin], policies })
  const targets = inside(rules, 'policy-ingress4').map(text => text.split(' ')[1])
  t.same(new Set(targets).size, 2)
  t.equal(targets[1], targets[2])
})

t.test('all pods are the podCIDRs, and the pods that are in none of them', async t => {
  const rules = made({
    pods: [WEB, pod('blue/far', ['10.7.0.1'])],
    policies: [ingress({ from: [selecting('web'), { namespaceSelector: {} }] })],
    podCidrs: [cidr('10.1.0.0/24'), cidr('10.1.1.0/24'), cidr('fd00:1::/64')],
  })
  t.same(inside(rules, 'policy-pod-cidrs4'), ['10.1.0.0/23'])
  t.same(inside(rules, named(rules, 'policy-pods4-')[0]!), ['10.7.0.1'])
})

t.test('namespaces are selected by their labels, once they are known', async t => {
  const policies = [ingress({ from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] })]
  const far = pod('blue/far', ['10.7.0.1'])
  const members = (namespaces: Objects['namespaces']): string[] => {
    const rules = made({ pods: [WEB, far], policies, namespaces })
    return inside(rules, named(rules, 'policy-pods4-')[0]!)
  }
  t.same(members([]), [])
  t.same(members([namespace('blue', { team: 'b' })]), [])
  t.same(members([namespace('blue', { team: 'a' })]), ['10.7.0.1'])
})

t.test('labels meet requirements as the API says', async t => {
  const requirements = [
    { key: 'app', operator: 'In', values: ['db', 'x'] },
    { key: 'app', operator: 'NotIn', values: ['db'] },
    { key: 'app', operator: 'Exists' },
    { key: 'app', operator: 'DoesNotExist' },
  ]
  const pods = [WEB, DB, pod('red/bare', ['10.1.0.3'])]
  const members = requirements.map(requirement => {
    const from = [{ podSelector: { matchExpressions: [requirement] } }]
    const rules = made({ pods, policies: [ingress({ from })] })
    return inside(rules, named(rules, 'policy-pods4-')[0]!).map(address => address.at(-1))
  })
  t.same(members, [['2'], ['1', '3'], ['1', '2'], ['3']])
})

t.test('of two pods that claim an address the younger has it', async t => {
  const born = (name: string, day: number) =>
    pod(`red/${name}`, ['10.1.0.1'], {}, { metadata: { creationTimestamp: `2030-01-0${day}T00:00:00Z` } })
  for (const pods of [
    [born('old', 1), born('young', 2)],
    [born('young', 2), born('old', 1)],
  ]) {
    const { sets } = made({ pods, policies: [ingress()] })
    t.equal(sets.get('policy-ingress4')!.elements.get('10.1.0.1')!.comment, 'red/young')
  }
})

t.test('only pods of this node lead to chains', async t => {
  const far = pod('red/far', ['10.2.0.1'], {}, { spec: { nodeName: 'n2' } })
  t.same(inside(made({ pods: [far], policies: [ingress()] }), 'policy-ingress4'), [])
})

t.test('an attached pod has its address from its ADD on, whoever had it before', async t => {
  const old = pod('red/db', ['10.1.0.1'], { app: 'db' }, { metadata: { uid: 'old' } })
  const next = pod('red/web', [], { app: 'web' }, { spec: { nodeName: '' } })
  const policies = [ingress({ from: [selecting('db')] })]
  const attached = [attachment('c1', 'red/web', ['10.1.0.1'])]
  const rules = made({ pods: [old, next], policies, attached })
  t.same(inside(rules, named(rules, 'policy-pods4-')[0]!), [], 'it is no address of the old one any more')
  t.equal(rules.sets.get('policy-ingress4')!.elements.get('10.1.0.1')!.comment, 'red/web')
})

t.test(
  'an attached pod that is not known is closed in both directions, or open if that is wished',
  async t => {
    const attached = [attachment('c1', 'red/new', ['10.1.0.1'])]
    const rules = made({ attached })
    t.same(inside(rules, 'policy-ingress4'), ['10.1.0.1 policy-drop-ingress'])
    t.same(inside(rules, 'policy-egress4'), ['10.1.0.1 policy-drop-egress'])
    t.same(inside(made({ attached }, { unknownPods: 'open' }), 'policy-ingress4'), [])
    const namesake = pod('red/new', [], {}, { metadata: { uid: 'another' } })
    t.same(inside(made({ attached, pods: [namesake] }), 'policy-ingress4'), ['10.1.0.1 policy-drop-ingress'])
    t.same(
      inside(made({ attached, pods: [pod('red/new', [])] }), 'policy-ingress4'),
      [],
      'known and selected by none',
    )
  },
)

t.test('dropped packets are logged if that is wished', async t => {
  const first = ({ chains }: RuleSet): string => formatRule(chains.get('policy-denied-egress')!.rules[0]!)
  t.equal(first(made({})), 'drop')
  t.equal(
    first(made({}, { log: true })),
    'limit rate 10/second burst 20 packets log prefix "egress" group 117',
  )
})

t.test('comments are as long as nft takes them', async t => {
  const name = 'p'.repeat(200)
  const rules = made({ pods: [DB], policies: [policy(`red/${name}`, {})] })
  t.match(rulesFor(rules, 'policy-ingress4', '10.1.0.2')[0], /comment "isolated by red\/p{109}\.\.\."$/)
})

t.test('a change leaves all sets the very same that it does not change', async t => {
  const compiler = new Compiler(WISH)
  for (const each of [WEB, DB]) compiler.setPod(each)
  compiler.setPodCidrs([cidr('10.1.0.0/24')])
  compiler.setPolicy(
    ingress(
      { from: [selecting('web')] },
      { from: [selecting('db')] },
      { from: [{ namespaceSelector: {} }, { ipBlock: { cidr: '10.0.0.0/8' } }] },
    ),
  )
  const before = compiler.compile()
  const changed = (after: RuleSet): string[] =>
    [...after.sets].flatMap(([name, set]) => (set === before.sets.get(name) ? [] : [name]))
  compiler.deletePod(DB)
  compiler.setPod(DB)
  compiler.setPodCidrs([cidr('10.1.0.0/25')])
  compiler.setPodCidrs([cidr('10.1.0.0/24')])
  t.same(changed(compiler.compile()), [])
  compiler.setPod(pod('red/web-2', ['10.1.0.5'], { app: 'web' }, { spec: { nodeName: 'n2' } }))
  const after = compiler.compile()
  t.same(
    changed(after).map(name => inside(after, name)),
    [['10.1.0.1', '10.1.0.5']],
  )
})

t.test('what is gone is forgotten', async t => {
  const compiler = new Compiler(WISH)
  compiler.setNamespace(namespace('red', { team: 'a' }))
  compiler.setPod(DB)
  compiler.attach(attachment('c1', 'red/db', ['10.1.0.2']))
  compiler.attach(attachment('c2', 'red/web', ['10.1.0.3']))
  compiler.attach(attachment('c2', 'red/web', ['10.1.0.4']))
  compiler.setPolicy(
    policy('red/b', { ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'a' } } }] }] }),
  )
  compiler.setPolicy(policy('red/a', {}))
  const rules = compiler.compile()
  t.same(inside(rules, 'policy-self4'), ['10.1.0.2 . 10.1.0.2', '10.1.0.4 . 10.1.0.4'])
  t.same(inside(rules, named(rules, 'policy-pods4-')[0]!), ['10.1.0.2'])
  compiler.deleteNamespace('red')
  t.same(inside(compiler.compile(), named(rules, 'policy-pods4-')[0]!), [])
  for (const id of ['c1', 'c2', 'c2', 'never']) compiler.detach(id)
  t.same(
    inside(compiler.compile(), 'policy-self4'),
    ['10.1.0.2 . 10.1.0.2'],
    'which is what the API server says',
  )
  for (const name of ['a', 'b', 'never']) compiler.deletePolicy({ namespace: 'red', name })
  compiler.deletePolicy({ namespace: 'never', name: 'a' })
  t.same(named(compiler.compile(), 'policy-ingress4-'), [])
  compiler.setPolicy(policy('red/a', {}))
  compiler.deletePod(DB)
  t.same(inside(compiler.compile(), 'policy-self4'), [])
})
