import t from 'tap'
import { cluster, pod, policy } from '../../../../test/support/policy-objects.ts'
import type { Judged } from './answer.ts'
import { evaluate, type Packet } from '../evaluate.ts'
import { explainKernel, type Where } from './kernel-answer.ts'

const WEB = pod('shop/web', ['10.1.0.1'], { app: 'web' })
const DB = pod('shop/db', ['10.2.0.2'], { app: 'db' }, { spec: { nodeName: 'n2' } })
const POLICY = policy('shop/db', { podSelector: { matchLabels: { app: 'db' } }, ingress: [] })
const [SOURCE, DESTINATION] = [WEB.addresses[0]!, DB.addresses[0]!]

function judged(packet: Partial<Packet> = {}): Judged {
  const asked: Packet = { source: SOURCE, destination: DESTINATION, protocol: 'tcp', port: 1, ...packet }
  const ends = { source: { addresses: [asked.source] }, destination: { addresses: [asked.destination] } }
  const objects = cluster({ pods: [WEB, DB], policies: [POLICY] })
  const judgement = evaluate(objects, { node: '', unknownPods: 'closed' }, asked)
  return { asked: { ...ends, packet: asked }, judgement }
}

const vmap = { vmap: { key: { payload: { protocol: 'ip', field: 'daddr' } }, data: '@policy-ingress4' } }
const odd = { match: { op: '==', left: { meta: { key: 'mark' } }, right: 1 } }
const CHAINS: Readonly<Record<string, { readonly text: string; readonly rules: readonly object[][] }>> = {
  'policy-forward': { text: '', rules: [[vmap]] },
  pod: {
    text: 'table inet podwire {\n\tchain pod {\n\t\ttype filter hook x\n\t\tmeta mark 1 return\n\t\tgoto policy-drop-ingress\n\t}\n}\n',
    rules: [[odd, { return: null }], [{ goto: { target: 'policy-drop-ingress' } }]],
  },
}
const ELEMENTS: Readonly<Record<string, string>> = {
  'policy-ingress4 10.2.0.2': '10.2.0.2 comment "shop/db" : goto pod',
  'policy-dropped-ingress4 10.2.0.2': '10.2.0.2 counter packets 3 bytes 180',
}

/** What is said on a node with these elements. */
const said = (
  nodeName: string | undefined,
  more: Partial<Where> & { readonly elements?: typeof ELEMENTS; readonly chains?: typeof CHAINS } = {},
  packet: Partial<Packet> = {},
): Promise<string[]> => {
  const { elements = ELEMENTS, chains = CHAINS } = more
  const table: Where['table'] = {
    chain: async name =>
      chains[name] && {
        text: chains[name].text,
        json: { nftables: chains[name].rules.map(expr => ({ rule: { expr } })) },
      },
    element: async (set, key) => elements[`${set} ${key}`],
  }
  return explainKernel({ table, nodeName, pods: [], again: 'ask again', ...more }, [judged(packet)])
}

const WEB_ELSEWHERE = 'Node n1 has the rules for egress of shop/web; there: ask again --node-name=n1'
const DB_ELSEWHERE = 'Node n2 has the rules for ingress of shop/db; there: ask again --node-name=n2'
const ON_N2 = [
  'On this node, n2, IPv4:',
  '  policy-ingress4 has 10.2.0.2 comment "shop/db" : goto pod',
  '  table inet podwire {',
  '  \tchain pod {',
  '  \t\ttype filter hook x',
  ' ?\t\tmeta mark 1 return',
  '->\t\tgoto policy-drop-ingress',
  '  \t}',
  '  }',
  '  dropped so far for ingress of shop/db: 3 packets, 180 bytes',
  '  this node drops it',
  WEB_ELSEWHERE,
]

t.test('explainKernel() shows the rules of this node, and says where the others are', async t => {
  t.same(await said('n2'), ON_N2)
  t.same(await said('n1', { elements: {} }), [
    'On this node, n1, IPv4:',
    '  policy-ingress4 has no 10.2.0.2',
    '  this node lets it pass',
    DB_ELSEWHERE,
  ])
})

t.test('explainKernel() knows a node that nobody named by the pods in its maps', async t => {
  t.same(await said(undefined), ON_N2)
  t.same(await said(undefined, { elements: {} }), [WEB_ELSEWHERE, DB_ELSEWHERE])
})

t.test('explainKernel() names the pod of the daemon to ask in', async t => {
  const spec = { nodeName: 'n2' }
  const daemon = pod('kube-system/podwire-x', [], { 'app.kubernetes.io/name': 'podwire' }, { spec })
  t.same(await said('n3', { pods: [WEB, DB, daemon] }), [
    WEB_ELSEWHERE,
    'Node n2 has the rules for ingress of shop/db; there: kubectl exec -n kube-system podwire-x -- ask again',
  ])
})

t.test('explainKernel() says when the kernel does otherwise than the API says', async t => {
  t.same((await said('n2', { elements: {} })).slice(0, -1), [
    'On this node, n2, IPv4:',
    '  policy-ingress4 has no 10.2.0.2',
    '  this node lets it pass, which is not what the API server says: podwired has not followed yet, or fails; see its log and /readyz',
  ])
  t.same((await said('n2', { chains: {} })).slice(0, -1), [
    'On this node, n2, IPv4:',
    '  there are no rules for policies; see whether podwired runs and is in order',
  ])
})

t.test('explainKernel() says when no rule is met', async t => {
  t.same(await said('n1', {}, { receiver: 'n1' }), [
    'On this node, n1, IPv4:',
    '  what a node itself receives meets no rule',
  ])
  t.same(await said('n1', {}, { sender: 'n1', receiver: 'n2' }), [
    'No node has rules for this: no end is a pod of the cluster',
  ])
})
