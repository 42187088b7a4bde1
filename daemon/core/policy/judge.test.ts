import t from 'tap'
import { attachment, cluster, pod, policy, ports } from '../../../test/support/policy-objects.ts'
import { ip } from '../../../test/support/result.ts'
import { compile } from './compile.ts'
import type { Packet } from './evaluate.ts'
import { judge } from './judge.ts'

const DB = pod('red/db', ['10.1.0.2', 'fd00:1::2'], { app: 'db' })
const WEB = pod('red/web', ['10.1.0.1', 'fd00:1::1'], { app: 'web' }, { spec: ports('http:8080/TCP') })
const packet = (source: string, destination: string, more: Partial<Packet> = {}): Packet => ({
  source: ip(source),
  destination: ip(destination),
  protocol: 'tcp',
  port: 80,
  ...more,
})
const BOTH = ['Ingress', 'Egress']

t.test('an isolated pod is cut off from all but itself, its node and its neighbours', async t => {
  const rules = compile(cluster({ pods: [DB], policies: [policy('red/p', { policyTypes: BOTH })] }), {
    node: 'n1',
    unknownPods: 'closed',
    log: true,
  })
  const verdict = (...given: Parameters<typeof packet>) => judge(rules, 'n1', packet(...given))
  for (const [own, other] of [
    ['10.1.0.2', '192.0.2.1'],
    ['fd00:1::2', '2001:db8::1'],
  ] as const) {
    t.equal(verdict(other, own), 'drop')
    t.equal(verdict(own, other), 'drop')
    t.equal(verdict(own, own), 'accept')
    t.equal(verdict(other, own, { sender: 'n1' }), 'accept')
    t.equal(verdict(other, own, { sender: 'n2' }), 'drop')
    t.equal(verdict(own, other, { receiver: 'n1' }), 'accept')
    t.equal(verdict(own, other, { receiver: 'n2' }), 'drop')
    t.equal(verdict(own, other, { protocol: 'discovery', port: 0 }), 'accept')
  }
  t.equal(verdict('192.0.2.1', '10.1.0.9'), 'accept', 'nobody else is')
})

t.test('peers are looked up in sets, blocks between their ends, and ports in rules', async t => {
  const rule = {
    to: [{ podSelector: { matchLabels: { app: 'web' } } }, { ipBlock: { cidr: '192.0.2.0/24' } }],
    ports: [{ port: 443 }, { port: 'http' }],
  }
  const policies = [policy('red/p', { policyTypes: ['Egress'], egress: [rule] })]
  const attached = [attachment('c1', 'red/db', ['10.1.0.2'])]
  const rules = compile(cluster({ pods: [DB, WEB], policies, attached }), {
    node: 'n1',
    unknownPods: 'closed',
    log: false,
  })
  const passes = (destination: string, port: number, protocol: Packet['protocol'] = 'tcp') =>
    judge(rules, 'n1', packet('10.1.0.2', destination, { port, protocol })) === 'accept'
  t.equal(passes('10.1.0.1', 443), true)
  t.equal(passes('10.1.0.1', 8080), true)
  t.equal(passes('10.1.0.1', 8080, 'udp'), false)
  t.equal(passes('10.1.0.1', 80), false)
  t.equal(passes('192.0.2.0', 443), true)
  t.equal(passes('192.0.2.255', 443), true)
  t.equal(passes('192.0.3.0', 443), false)
  t.equal(passes('192.0.2.1', 8080), false, 'nobody there has a port of that name')
})
