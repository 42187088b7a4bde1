import t from 'tap'
import { compile } from '../../daemon/core/policy/compile.ts'
import { cidr } from '../support/result.ts'
import { namespace, pod, policy, ports } from '../support/policy-objects.ts'
import { pairRules, pairsBase, pairsScript } from './rule-per-pair.ts'

const RULES = compile(
  {
    pods: [
      pod('shop/db', ['10.1.0.6', 'fd00::6'], { app: 'db' }),
      pod('shop/web-1', ['10.1.0.7'], { app: 'web' }),
      pod(
        'shop/web-2',
        ['10.2.0.7'],
        { app: 'web' },
        { spec: { nodeName: 'n2', ...ports('http:8080/TCP') } },
      ),
    ],
    namespaces: [namespace('shop')],
    policies: [
      policy('shop/db', {
        podSelector: { matchLabels: { app: 'db' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 80 }, { port: 443 }] },
          { ports: [{ protocol: 'UDP', port: 9000, endPort: 9010 }] },
        ],
        egress: [
          { to: [{ podSelector: {} }], ports: [{ port: 'http' }] },
          { to: [{ ipBlock: { cidr: '192.168.0.0/16' } }] },
        ],
      }),
    ],
    podCidrs: [cidr('10.1.0.0/24')],
    attached: [],
  },
  { node: 'n1', unknownPods: 'closed', log: false },
)

t.test('pairRules() has a rule for each pod of the node, each peer and each range of ports', t => {
  const rules = pairRules(RULES)
  t.same(rules.get('ingress'), [
    'ip daddr 10.1.0.6 ip saddr 10.1.0.7 tcp dport 80 counter return',
    'ip daddr 10.1.0.6 ip saddr 10.1.0.7 tcp dport 443 counter return',
    'ip daddr 10.1.0.6 ip saddr 10.2.0.7 tcp dport 80 counter return',
    'ip daddr 10.1.0.6 ip saddr 10.2.0.7 tcp dport 443 counter return',
    'ip daddr 10.1.0.6 udp dport 9000-9010 counter return',
    'ip daddr 10.1.0.6 counter drop',
  ])
  t.same(rules.get('egress'), [
    'ip saddr 10.1.0.6 ip daddr 10.2.0.7 tcp dport 8080 counter return',
    'ip saddr 10.1.0.6 ip daddr 192.168.0.0/16 counter return',
    'ip saddr 10.1.0.6 counter drop',
  ])
  t.end()
})

t.test('pairRules() refuses a chain that is no pod’s', t => {
  const chains = new Map([...RULES.chains].map(([name]) => [name, pairsBase({ rules: [] })]))
  t.throws(
    () => pairRules({ ...RULES, chains }),
    /Cannot lay out the chain of a pod: it asks for "established"/,
  )
  t.end()
})

t.test('pairsScript() makes a table of both chains, and pairsBase() leads to them', t => {
  const script = pairsScript(
    new Map([
      ['ingress', ['counter drop']],
      ['egress', []],
    ]),
  )
  t.equal(
    script,
    [
      'add table inet bench',
      'add chain inet bench pairs-ingress',
      'add rule inet bench pairs-ingress counter drop',
      'add chain inet bench pairs-egress',
      '',
    ].join('\n'),
  )
  t.same(pairsBase({ hook: 'type filter hook forward priority 0;', rules: [] }), {
    hook: 'type filter hook forward priority 0;',
    rules: [
      { matches: [{ kind: 'established' }], verdict: { kind: 'accept' } },
      { matches: [], verdict: { kind: 'jump', chain: 'pairs-egress' } },
      { matches: [], verdict: { kind: 'jump', chain: 'pairs-ingress' } },
    ],
  })
  t.end()
})
