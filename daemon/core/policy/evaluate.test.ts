import t from 'tap'
import { attachment, cluster, namespace, pod, policy, ports } from '../../../test/support/policy-objects.ts'
import { cidr, ip } from '../../../test/support/result.ts'
import { evaluate, type Packet } from './evaluate.ts'
import { explain } from './explain/explain.ts'
import type { Objects } from './objects.ts'

const WEB = pod('shop/web', ['10.1.0.1', 'fd00:1::1'], { app: 'web' }, { spec: ports('http:8080/TCP') })
const DB = pod('shop/db', ['10.1.0.2', 'fd00:1::2'], { app: 'db' }, { spec: ports('sql:5432/TCP') })
const GUEST = pod('guest/web', ['10.2.0.1'], { app: 'web' }, { spec: { nodeName: 'n2' } })
const PODS = [WEB, DB, GUEST]
const NAMESPACES = [namespace('shop', { team: 'a' }), namespace('guest', { team: 'b' })]
const SHOP = { pods: PODS, namespaces: NAMESPACES }

const ADDRESSES: Readonly<Record<string, string>> = {
  web: '10.1.0.1',
  db: '10.1.0.2',
  guest: '10.2.0.1',
  world: '192.0.2.1',
}

/** What is said about `FROM > TO:PORT/PROTOCOL`. */
function said(some: Partial<Objects>, text: string, more: Partial<Packet> = {}) {
  const [, from, to, port, protocol] = /^(\w+) > (\w+):(\d+)\/(\w+)$/.exec(text)!
  const packet: Packet = {
    source: ip(ADDRESSES[from!]!),
    destination: ip(ADDRESSES[to!]!),
    protocol: protocol as Packet['protocol'],
    port: Number(port),
    ...more,
  }
  return explain(evaluate(cluster({ ...SHOP, ...some }), { node: 'n1', unknownPods: 'closed' }, packet))
}
const allowed = (policies: Objects['policies'], text: string, more: Partial<Packet> = {}): boolean =>
  said({ policies }, text, more)[0] === 'allowed'

const DENY = policy('shop/deny', { policyTypes: ['Ingress', 'Egress'] })
const toDb = (rule: object) =>
  policy('shop/to-db', { podSelector: { matchLabels: { app: 'db' } }, ingress: [rule] })
const fromWeb = (rule: object) =>
  policy('shop/from-web', {
    podSelector: { matchLabels: { app: 'web' } },
    policyTypes: ['Egress'],
    egress: [rule],
  })

t.test('a pod that no policy selects is free', async t => {
  t.same(said({}, 'web > db:5432/tcp'), [
    'allowed',
    'egress from shop/web is allowed: no policy isolates the pod for egress',
    'ingress to shop/db is allowed: no policy isolates the pod for ingress',
  ])
  t.same(said({ policies: [policy('guest/deny', {})] }, 'guest > db:1/udp')[0], 'allowed')
  t.same(said({}, 'world > world:1/udp'), ['allowed', 'no end is a pod that policies are for'])
})

t.test('an isolated pod is denied what no rule allows, and the policies are named', async t => {
  t.same(said({ policies: [DENY] }, 'web > db:5432/tcp'), [
    'denied',
    'egress from shop/web is denied: isolated by shop/deny, and no rule of it allows it',
    'ingress to shop/db is denied: isolated by shop/deny, and no rule of it allows it',
  ])
  t.equal(
    said({ policies: [DENY, toDb({ ports: [{ port: 1 }] })] }, 'guest > db:5432/tcp').at(-1),
    'ingress to shop/db is denied: isolated by shop/deny, shop/to-db, and no rule of these allows it',
  )
})

t.test('several policies are a union, and the rule that allows is named', async t => {
  const policies = [DENY, policy('shop/some', { ingress: [{ ports: [{ port: 1 }] }, {}], egress: [{}] })]
  t.same(said({ policies }, 'web > db:5432/tcp'), [
    'allowed',
    'egress from shop/web is allowed: by shop/some, egress[0]',
    'ingress to shop/db is allowed: by shop/some, ingress[1]',
  ])
})

t.test('a pod reaches itself, it and its own node each other, and neighbours are found', async t => {
  t.match(said({ policies: [DENY] }, 'web > web:1/tcp').join(), /^allowed.*a pod reaches itself/)
  const sender = { source: ip('172.30.0.1') }
  t.match(
    said({ policies: [DENY] }, 'web > db:1/tcp', { ...sender, sender: 'n1' }).join(),
    /^allowed,ingress to shop\/db is allowed: a pod and its own node always reach each other$/,
  )
  const receiver = { destination: ip('172.30.0.1') }
  t.match(
    said({ policies: [DENY] }, 'web > db:1/tcp', { ...receiver, receiver: 'n1' }).join(),
    /^allowed,egress from shop\/web is allowed: a pod and its own node always reach each other$/,
  )
  t.equal(said({ policies: [DENY] }, 'web > db:1/tcp', { ...receiver, receiver: 'n2' })[0], 'denied')
  t.equal(said({ policies: [DENY] }, 'web > db:1/tcp', { ...sender, sender: 'n2' })[0], 'denied')
  t.match(said({ policies: [DENY] }, 'web > db:0/discovery').join(), /^allowed.*neighbour discovery passes/)
})

t.test("podSelector alone means pods of the policy's own namespace", async t => {
  const policies = [toDb({ from: [{ podSelector: { matchLabels: { app: 'web' } } }] })]
  t.equal(allowed(policies, 'web > db:1/tcp'), true)
  t.equal(allowed(policies, 'guest > db:1/tcp'), false)
  t.equal(allowed(policies, 'world > db:1/tcp'), false)
})

t.test('namespaceSelector means all pods there, and with podSelector those that meet both', async t => {
  const team = { matchLabels: { team: 'b' } }
  t.equal(allowed([toDb({ from: [{ namespaceSelector: team }] })], 'guest > db:1/tcp'), true)
  t.equal(allowed([toDb({ from: [{ namespaceSelector: team }] })], 'web > db:1/tcp'), false)
  const both = { namespaceSelector: team, podSelector: { matchLabels: { app: 'db' } } }
  t.equal(allowed([toDb({ from: [both] })], 'guest > db:1/tcp'), false)
})

t.test('a namespace that nobody has told about is selected by an empty selector only', async t => {
  const none = {
    policies: [toDb({ from: [{ namespaceSelector: { matchExpressions: [] } }] })],
    namespaces: [],
  }
  t.equal(said(none, 'guest > db:1/tcp')[0], 'allowed')
  const lacking = { namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] } }
  t.equal(said({ ...none, policies: [toDb({ from: [lacking] })] }, 'guest > db:1/tcp')[0], 'denied')
})

t.test('all pods are whoever lives in a podCIDR', async t => {
  const policies = [toDb({ from: [{ namespaceSelector: {} }] })]
  const source = ip('10.3.0.9')
  t.equal(said({ policies }, 'web > db:1/tcp', { source })[0], 'denied')
  t.equal(said({ policies, podCidrs: [cidr('10.3.0.0/24')] }, 'web > db:1/tcp', { source })[0], 'allowed')
})

t.test('labels meet requirements as the API says', async t => {
  const meets = (requirement: object): boolean =>
    allowed([toDb({ from: [{ podSelector: { matchExpressions: [requirement] } }] })], 'web > db:1/tcp')
  t.equal(meets({ key: 'app', operator: 'In', values: ['web', 'x'] }), true)
  t.equal(meets({ key: 'app', operator: 'In', values: ['x'] }), false)
  t.equal(meets({ key: 'no', operator: 'In', values: ['x'] }), false)
  t.equal(meets({ key: 'app', operator: 'NotIn', values: ['web'] }), false)
  t.equal(meets({ key: 'app', operator: 'NotIn', values: ['x'] }), true)
  t.equal(meets({ key: 'no', operator: 'NotIn', values: ['x'] }), true)
  t.equal(meets({ key: 'app', operator: 'Exists' }), true)
  t.equal(meets({ key: 'no', operator: 'Exists' }), false)
  t.equal(meets({ key: 'app', operator: 'DoesNotExist' }), false)
  t.equal(meets({ key: 'no', operator: 'DoesNotExist' }), true)
})

t.test('a block is addresses, whoever has them', async t => {
  const policies = [fromWeb({ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.2.0.0/16'] } }] })]
  t.equal(allowed(policies, 'web > db:1/tcp'), true)
  t.equal(allowed(policies, 'web > guest:1/tcp'), false)
  t.equal(allowed(policies, 'web > world:1/tcp'), false)
  t.equal(
    allowed(policies, 'web > db:1/tcp', { source: ip('fd00:1::1'), destination: ip('fd00:1::2') }),
    false,
  )
})

t.test('ports are of the protocol that they name', async t => {
  const policies = [
    toDb({ ports: [{ port: 80 }, { protocol: 'UDP', port: 90, endPort: 92 }, { protocol: 'SCTP' }] }),
  ]
  const passing = ['80/tcp', '80/udp', '90/udp', '92/udp', '93/udp', '1/sctp', '0/other'].filter(port =>
    allowed(policies, `world > db:${port}`),
  )
  t.same(passing, ['80/tcp', '90/udp', '92/udp', '1/sctp'])
})

t.test('a port by name is what the destination calls so', async t => {
  const sql = { ports: [{ port: 'sql' }] }
  t.equal(allowed([toDb(sql)], 'world > db:5432/tcp'), true)
  t.equal(allowed([toDb(sql)], 'world > db:5432/udp'), false)
  t.equal(allowed([toDb(sql)], 'world > db:80/tcp'), false)
  t.equal(allowed([fromWeb(sql)], 'web > db:5432/tcp'), true)
  t.equal(allowed([fromWeb(sql)], 'web > world:5432/tcp'), false, 'the world has no named ports')
})

t.test(
  'an address belongs to the younger of two pods, and to whom it was given here before either',
  async t => {
    const age = (createdAt: string) => ({ metadata: { creationTimestamp: createdAt } })
    const old = pod('shop/db', ['10.1.0.2'], { app: 'db' }, age('2030-01-01T00:00:00Z'))
    const young = pod('shop/other', ['10.1.0.2'], {}, age('2030-01-02T00:00:00Z'))
    const policies = [toDb({ from: [{ podSelector: {} }] })]
    for (const pods of [
      [GUEST, old, young],
      [GUEST, young, old],
    ])
      t.match(said({ pods, policies }, 'guest > db:1/tcp').at(-1), /^ingress to shop\/other/)
    const attached = [attachment('c1', 'shop/db', ['10.1.0.2'])]
    t.match(
      said({ pods: [old, young], policies, attached }, 'guest > db:1/tcp').at(-1),
      /^ingress to shop\/db/,
    )
    const moved = [attachment('c1', 'shop/db', ['10.1.0.9'])]
    t.match(said({ pods: [old], attached: moved }, 'world > db:1/tcp').at(-1), /^no end is a pod/)
  },
)

t.test('a pod that is wired but not known is closed, or open if that is wished', async t => {
  const attached = [attachment('c1', 'shop/new', ['10.1.0.2'])]
  t.same(said({ attached, pods: [] }, 'world > db:1/tcp'), [
    'denied',
    'ingress to shop/new is denied: the API server has not told of the pod yet',
  ])
  const packet = { source: ip('192.0.2.1'), destination: ip('10.1.0.2'), protocol: 'tcp' as const, port: 1 }
  t.equal(evaluate(cluster({ attached }), { node: 'n1', unknownPods: 'open' }, packet).isAllowed, true)
})
