import t from 'tap'
import { type KernelRoute, MAIN_TABLE, SCOPE } from '../../cni/core/netlink/route.ts'
import { formatCidr, formatIp, parseCidr, parseIp } from '../../ipam/core/ip.ts'
import { Cluster } from './cluster.ts'
import { parseNode, type NodeName } from './node.ts'
import {
  changesFor,
  connectedNetworks,
  ownRoutes,
  PROTOCOL,
  type RouteChange,
  routeVia,
  strayAddresses,
  type Way,
  wayTo,
} from './routes.ts'

const SELF = 'node1' as NodeName
const CONNECTED = [parseCidr('172.30.0.0/24')!, parseCidr('fd00:172:30::/64')!]

const clusterOf = (
  ...nodes: [name: string, podCIDRs: string[], addresses: string[], createdAt?: string][]
) => {
  const cluster = new Cluster()
  cluster.replace(
    nodes.map(([name, podCIDRs, addresses, creationTimestamp = '']) =>
      parseNode({
        metadata: { name, creationTimestamp },
        spec: { podCIDRs },
        status: { addresses: addresses.map(address => ({ type: 'InternalIP', address })) },
      }),
    ),
  )
  return cluster
}
const via = (dst: string, gw: string): Extract<Way, { kind: 'via' }> => ({
  kind: 'via',
  dst: parseCidr(dst)!,
  gw: parseIp(gw)!,
})
const route = (dst: string, gw: string, more: Partial<KernelRoute> = {}): KernelRoute => ({
  ...routeVia(via(dst, gw)),
  ...more,
})
const show = ({ kind, route }: RouteChange) =>
  `${kind} ${formatCidr(route.dst)} ${route.gw === undefined ? '' : formatIp(route.gw)}`

t.test("wayTo() leads to a node's pods by its InternalIP of the same family", async t => {
  const cluster = clusterOf([
    'node2',
    ['10.244.2.0/24', 'fd00:10:244:2::/64'],
    ['172.30.0.12', 'fd00:172:30::12'],
  ])
  t.same(wayTo('10.244.2.0/24', cluster, SELF, CONNECTED), via('10.244.2.0/24', '172.30.0.12'))
  t.same(wayTo('fd00:10:244:2::/64', cluster, SELF, CONNECTED), via('fd00:10:244:2::/64', 'fd00:172:30::12'))
})

t.test('wayTo() knows no way to a network that no node has', async t => {
  t.equal(wayTo('10.244.2.0/24', clusterOf(), SELF, CONNECTED), undefined)
})

t.test("wayTo() never leads away from this node's own pods, whoever else claims their network", async t => {
  const cluster = clusterOf(
    ['node1', ['10.244.1.0/24'], ['172.30.0.11'], '2026-01-01T00:00:00Z'],
    ['node2', ['10.244.1.0/24'], ['172.30.0.12'], '2026-02-01T00:00:00Z'],
  )
  t.same(wayTo('10.244.1.0/24', cluster, SELF, CONNECTED), { kind: 'own' })
  t.same(wayTo('10.244.1.0/24', clusterOf(['node1', ['10.244.1.0/24'], []]), SELF, []), { kind: 'own' })
})

t.test('wayTo() refuses a node behind a router: a route through it would lead elsewhere', async t => {
  const cluster = clusterOf(['node2', ['10.244.2.0/24'], ['192.0.2.12']])
  t.same(wayTo('10.244.2.0/24', cluster, SELF, CONNECTED), {
    kind: 'none',
    node: 'node2',
    reason: 'its InternalIP 192.0.2.12 is on no network that this node is on',
  })
})

t.test('wayTo() says when a node has no address of the family', async t => {
  const cluster = clusterOf(['node2', ['fd00:10:244:2::/64'], ['172.30.0.12']])
  t.same(wayTo('fd00:10:244:2::/64', cluster, SELF, CONNECTED), {
    kind: 'none',
    node: 'node2',
    reason: 'it has no IPv6 InternalIP',
  })
})

t.test(
  "connectedNetworks() are those of the main table without a gateway, but not the pods' bridge",
  async t => {
    const direct = (dst: string, more: Partial<KernelRoute> = {}): KernelRoute => ({
      ...route(dst, '0.0.0.0'),
      gw: undefined,
      index: 2,
      scope: SCOPE.link,
      ...more,
    })
    const routes = [
      direct('172.30.0.0/24'),
      direct('10.244.1.0/24', { index: 7 }),
      direct('172.30.0.11/32', { table: 255 }),
      route('0.0.0.0/0', '172.30.0.1'),
      direct('0.0.0.0/0', { index: 3 }),
    ]
    t.same(connectedNetworks(routes, 7).map(formatCidr), ['172.30.0.0/24'])
  },
)

t.test("ownRoutes() are those of the daemon's protocol in the main table", async t => {
  const mine = route('10.244.2.0/24', '172.30.0.12')
  const twin = route('10.244.2.0/24', '172.30.0.99', { priority: 5 })
  const routes = [
    mine,
    route('10.244.3.0/24', '172.30.0.13', { protocol: 3 }),
    route('10.244.4.0/24', '172.30.0.14', { table: 100 }),
    twin,
  ]
  t.same([...ownRoutes(routes)], [['10.244.2.0/24', [mine, twin]]])
})

t.test('changesFor() creates what is missing', async t => {
  const changes = changesFor(via('10.244.2.0/24', '172.30.0.12'), [])
  t.same(changes.map(show), ['create 10.244.2.0/24 172.30.0.12'])
  t.match(changes[0]?.route, { protocol: PROTOCOL, table: MAIN_TABLE })
})

t.test('changesFor() leaves alone what is right', async t => {
  t.same(changesFor(via('10.244.2.0/24', '172.30.0.12'), [route('10.244.2.0/24', '172.30.0.12')]), [])
})

t.test('changesFor() replaces in place when a node has another address', async t => {
  const changes = changesFor(via('10.244.2.0/24', '172.30.0.99'), [route('10.244.2.0/24', '172.30.0.12')])
  t.same(changes.map(show), ['replace 10.244.2.0/24 172.30.0.99'])
})

t.test('changesFor() removes twins before it replaces', async t => {
  const present = [
    route('10.244.2.0/24', '172.30.0.12'),
    route('10.244.2.0/24', '172.30.0.13', { priority: 5 }),
  ]
  t.same(changesFor(via('10.244.2.0/24', '172.30.0.12'), present).map(show), [
    'remove 10.244.2.0/24 172.30.0.13',
  ])
  t.same(changesFor(via('10.244.2.0/24', '172.30.0.99'), present).map(show), [
    'remove 10.244.2.0/24 172.30.0.13',
    'replace 10.244.2.0/24 172.30.0.99',
  ])
})

t.test('changesFor() keeps the one that is right among equals, and none of another priority', async t => {
  const equals = ['172.30.0.13', '172.30.0.12'].map(gw => route('10.244.2.0/24', gw))
  t.same(changesFor(via('10.244.2.0/24', '172.30.0.12'), equals).map(show), [
    'remove 10.244.2.0/24 172.30.0.13',
  ])
  const odd = [route('fd00:2::/64', 'fd00:172:30::12', { priority: 7 })]
  t.same(changesFor(via('fd00:2::/64', 'fd00:172:30::12'), odd).map(show), [
    'remove fd00:2::/64 fd00:172:30::12',
    'create fd00:2::/64 fd00:172:30::12',
  ])
})

t.test('changesFor() replaces a route of ours that has lost its gateway', async t => {
  const present = [route('10.244.2.0/24', '172.30.0.12', { gw: undefined })]
  t.same(changesFor(via('10.244.2.0/24', '172.30.0.12'), present).map(show), [
    'replace 10.244.2.0/24 172.30.0.12',
  ])
})

t.test('changesFor() removes routes to what is gone, out of reach, or here', async t => {
  const present = [route('10.244.2.0/24', '172.30.0.12')]
  const none: Way = { kind: 'none', node: SELF, reason: '' }
  for (const way of [undefined, none, { kind: 'own' } as const])
    t.same(changesFor(way, present).map(show), ['remove 10.244.2.0/24 172.30.0.12'])
})

t.test("strayAddresses() are the bridge's addresses in a network that is another node's by now", async t => {
  const onBridge = ['10.244.1.1/24', '10.244.2.1/24', 'fe80::1/64'].map(text => parseCidr(text)!)
  const ways = new Map<string, Way>([
    ['10.244.1.0/24', { kind: 'own' }],
    ['10.244.2.0/24', via('10.244.2.0/24', '172.30.0.12')],
    ['10.244.3.0/24', via('10.244.3.0/24', '172.30.0.13')],
  ])
  t.same(strayAddresses(onBridge, ways).map(formatCidr), ['10.244.2.1/24'])
})
