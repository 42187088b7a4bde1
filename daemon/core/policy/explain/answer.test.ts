import t from 'tap'
import { cluster, pod, policy } from '../../../../test/support/policy-objects.ts'
import { ip } from '../../../../test/support/result.ts'
import { formatAnswer, type Judged } from './answer.ts'
import type { End } from './ends.ts'
import { evaluate, type Packet } from '../evaluate.ts'
import type { NetworkPolicy } from '../network-policy.ts'

const WEB = pod('shop/web', ['10.1.0.1', 'fd00:1::1'], { app: 'web' })
const DB = pod('shop/db', ['10.1.0.2', 'fd00:1::2'], { app: 'db' })
const PROXY = pod('system/proxy', [], {}, { spec: { hostNetwork: true, nodeName: 'n2' } })

const ofPod = (pod: typeof WEB): End => ({ pod, addresses: pod.addresses })
const at = (text: string): End => ({ addresses: [ip(text)] })

function judged(
  policies: readonly NetworkPolicy[],
  source: End,
  destination: End,
  more: Partial<Packet> = {},
) {
  return source.addresses.map((from, i): Judged => {
    const packet: Packet = {
      source: from,
      destination: destination.addresses[i]!,
      protocol: 'tcp',
      port: 5432,
      ...more,
    }
    const judgement = evaluate(
      cluster({ pods: [WEB, DB], policies }),
      { node: '', unknownPods: 'closed' },
      packet,
    )
    return { asked: { source, destination, packet }, judgement }
  })
}

t.test('formatAnswer() says once what holds for both families', async t => {
  t.same(formatAnswer(judged([], ofPod(WEB), ofPod(DB))), [
    'allowed',
    'TCP from shop/web (10.1.0.1, fd00:1::1) to shop/db (10.1.0.2, fd00:1::2), port 5432',
    '  egress from shop/web is allowed: no policy isolates the pod for egress',
    '  ingress to shop/db is allowed: no policy isolates the pod for ingress',
  ])
})

t.test('formatAnswer() says of each family what holds for it alone', async t => {
  const four = policy('shop/four', {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
  })
  const free = '  egress from shop/web is allowed: no policy isolates the pod for egress'
  t.same(formatAnswer(judged([four], ofPod(WEB), ofPod(DB))), [
    'IPv4: allowed',
    'TCP from shop/web (10.1.0.1) to shop/db (10.1.0.2), port 5432',
    free,
    '  ingress to shop/db is allowed: by shop/four, ingress[0]',
    'IPv6: denied',
    'TCP from shop/web (fd00:1::1) to shop/db (fd00:1::2), port 5432',
    free,
    '  ingress to shop/db is denied: isolated by shop/four, and no rule of it allows it',
  ])
})

t.test('formatAnswer() tells what of a policy that denies is not understood', async t => {
  const odd = policy('shop/odd', { ingress: [{ ports: [{ protocol: 'ICMP' }] }] })
  t.same(formatAnswer(judged([odd], at('192.0.2.1'), at('10.1.0.2'))), [
    'denied',
    'TCP from 192.0.2.1 to 10.1.0.2, port 5432',
    '  ingress to shop/db is denied: isolated by shop/odd, and no rule of it allows it',
    '  in shop/odd: ingress[0].ports[0] {"protocol":"ICMP"} is no port, so it allows nothing',
  ])
})

t.test('formatAnswer() says who is a node, who has a node’s address, and who is neither', async t => {
  const proxy = { pod: PROXY, node: 'n2', addresses: [ip('172.30.0.2')] }
  t.same(formatAnswer(judged([], proxy, at('10.1.0.2'), { sender: 'n2' })), [
    'allowed',
    'TCP from system/proxy (172.30.0.2) to 10.1.0.2, port 5432',
    '  ingress to shop/db is allowed: no policy isolates the pod for ingress',
    "  system/proxy is on the host's network: no policy is for it, and others see node n2",
  ])
  const node = { node: 'n1', addresses: [ip('172.30.0.1')] }
  t.same(formatAnswer(judged([], at('10.1.0.1'), node, { receiver: 'n1' })), [
    'allowed',
    'TCP from 10.1.0.1 to node n1 (172.30.0.1), port 5432',
    '  egress from shop/web is allowed: a pod and its own node always reach each other',
  ])
  t.same(formatAnswer(judged([], at('192.0.2.1'), at('10.96.0.1'))), [
    'allowed',
    'TCP from 192.0.2.1 to 10.96.0.1, port 5432',
    '  no end is a pod that policies are for',
    '  10.96.0.1 is no address of a pod or node; of a Service ask for the pods behind it, as policies do',
  ])
})
