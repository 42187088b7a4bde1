import t from 'tap'
import { policy } from '../../../test/support/policy-objects.ts'
import { cidr } from '../../../test/support/result.ts'
import { parseNetworkPolicy } from './network-policy.ts'

const ingressOf = (rule: unknown) => policy('red/p', { ingress: [rule] })
const peersOf = (...from: readonly unknown[]) => ingressOf({ from }).ingress![0]!.peers
const portsOf = (...ports: readonly unknown[]) => ingressOf({ ports }).ingress![0]!.ports

t.test('policyTypes default to ingress, and to both when there are rules for egress', async t => {
  const directions = (spec: Readonly<Record<string, unknown>>): string => {
    const { ingress, egress } = policy('red/p', spec)
    return `${ingress?.length ?? 'none'} ${egress?.length ?? 'none'}`
  }
  t.equal(directions({}), '0 none')
  t.equal(directions({ policyTypes: [] }), '0 none')
  t.equal(directions({ egress: [] }), '0 none')
  t.equal(directions({ egress: [{}] }), '0 1')
  t.equal(directions({ policyTypes: ['Egress'], ingress: [{}] }), 'none 0')
  t.equal(directions({ policyTypes: ['Ingress'], egress: [{}] }), '0 none')
  t.equal(directions({ policyTypes: ['Egress', 'Ingress'] }), '0 0')
})

t.test('a policy without a spec isolates all pods of its namespace for ingress', async t => {
  t.same(parseNetworkPolicy({ metadata: { namespace: 'red', name: 'p' } }), {
    namespace: 'red',
    name: 'p',
    podSelector: [],
    ingress: [],
    egress: undefined,
    problems: [],
  })
})

t.test('absent and empty lists of peers and ports stand for everything', async t => {
  for (const rule of [{}, { from: null, ports: null }, { from: [], ports: [] }])
    t.same(ingressOf(rule).ingress, [{ index: 0, peers: undefined, ports: undefined }])
})

t.test('a peer is pods, of this or of other namespaces, or a block', async t => {
  const app = { matchLabels: { app: 'web' } }
  const requirement = [{ key: 'app', operator: 'In', values: ['web'] }]
  t.same(
    peersOf(
      { podSelector: app },
      { podSelector: {} },
      { namespaceSelector: app },
      { namespaceSelector: {}, podSelector: app },
      { ipBlock: { cidr: '10.1.2.3/8', except: ['10.1.0.0/16'] } },
      { ipBlock: { cidr: 'fd00::/8' } },
    ),
    [
      { kind: 'pods', namespaceSelector: undefined, podSelector: requirement },
      { kind: 'pods', namespaceSelector: undefined, podSelector: [] },
      { kind: 'pods', namespaceSelector: requirement, podSelector: [] },
      { kind: 'pods', namespaceSelector: [], podSelector: requirement },
      { kind: 'block', cidr: cidr('10.0.0.0/8'), except: [cidr('10.1.0.0/16')] },
      { kind: 'block', cidr: cidr('fd00::/8'), except: [] },
    ],
  )
})

t.test('a port has a protocol, TCP by default, and a number, a range, a name, or none for all', async t => {
  t.same(
    portsOf(
      { port: 80 },
      { protocol: 'UDP', port: 5, endPort: 7 },
      { protocol: 'SCTP' },
      { port: 'http' },
      {},
    ),
    [
      { kind: 'range', protocol: 'tcp', first: 80, last: 80 },
      { kind: 'range', protocol: 'udp', first: 5, last: 7 },
      { kind: 'range', protocol: 'sctp', first: 0, last: 65535 },
      { kind: 'name', protocol: 'tcp', name: 'http' },
      { kind: 'range', protocol: 'tcp', first: 0, last: 65535 },
    ],
  )
})

t.test('a selector that is not understood selects more pods to isolate', async t => {
  const { podSelector, problems } = policy('red/p', {
    podSelector: { matchLabels: { app: 'web', odd: 7 }, matchExpressions: [{ key: 'a', operator: 'Gt' }] },
  })
  t.same(podSelector, [{ key: 'app', operator: 'In', values: ['web'] }])
  t.same(problems, [
    'podSelector.matchLabels.odd 7 is no string, so more pods are selected',
    'podSelector.matchExpressions[0] {"key":"a","operator":"Gt"} is no requirement, so more pods are selected',
  ])
})

t.test('policy types that are not understood stand for both', async t => {
  for (const [policyTypes, shown] of [
    [['Ingress', 'Sideways'], '"Sideways"'],
    ['Egress!', '"Egress!"'],
    [[7], '7'],
  ]) {
    const { ingress, egress, problems } = policy('red/p', { policyTypes })
    t.same([ingress, egress], [[], []])
    t.same(problems, [`policyTypes has ${String(shown)}, so it is taken for one of ingress and egress`])
  }
})

t.test(
  'rules, peers and ports that are not understood allow nothing, and the others what they say',
  async t => {
    const wrong = (spec: Readonly<Record<string, unknown>>): readonly string[] =>
      policy('red/p', spec).problems
    t.same(wrong({ ingress: 'all' }), ['ingress "all" is no list, so it allows nothing'])
    t.same(policy('red/p', { egress: 'all' }).egress, [], 'and it is one of egress')
    t.same(wrong({ ingress: ['all', {}] }), ['ingress[0] "all" is no rule, so it allows nothing'])
    t.same(policy('red/p', { ingress: ['all', {}] }).ingress, [
      { index: 1, peers: undefined, ports: undefined },
    ])
    t.same(ingressOf({ from: 'all' }).ingress, [{ index: 0, peers: [], ports: undefined }])
    t.same(wrong({ ingress: [{ from: 'all' }] }), ['ingress[0].from "all" is no list, so it allows nothing'])
    t.same(wrong({ egress: [{ to: [7], ports: [null] }] }), [
      'egress[0].to[0] 7 is no peer, so it allows nothing',
      'egress[0].ports[0] null is no port, so it allows nothing',
    ])
    t.same(portsOf({ protocol: 'ICMP' }, { port: 80 }), [
      { kind: 'range', protocol: 'tcp', first: 80, last: 80 },
    ])
  },
)

t.test('a peer that is nothing, both, or in part not understood is nobody', async t => {
  const block = { cidr: '10.0.0.0/8' }
  for (const peer of [
    {},
    { ipBlock: block, podSelector: {} },
    { ipBlock: { cidr: '10.0.0.0' } },
    { ipBlock: { ...block, except: ['x'] } },
    { ipBlock: { ...block, except: 'x' } },
    { podSelector: 'x' },
    { namespaceSelector: { matchLabels: 'x' }, podSelector: {} },
    { podSelector: { matchExpressions: 'x' } },
  ])
    t.same(peersOf(peer), [], JSON.stringify(peer))
  t.same(ingressOf({ from: [{ podSelector: { matchLabels: 'x' } }] }).problems, [
    'ingress[0].from[0].podSelector.matchLabels "x" is no object, so this peer is nobody',
  ])
})

t.test('ports that make no sense are none', async t => {
  for (const port of [
    { port: 0 },
    { port: 65536 },
    { port: 1.5 },
    { port: '' },
    { port: 'http', endPort: 80 },
    { endPort: 80 },
    { port: 81, endPort: 80 },
    { port: 81, endPort: '82' },
  ])
    t.same(portsOf(port), [], JSON.stringify(port))
})
