import t, { type Test } from 'tap'
import { Netns } from '../../cni/edge/netns.ts'
import type { NetnsPath } from '../../cni/spec/environment.ts'
import { Cluster, type Touched } from '../../daemon/core/cluster.ts'
import { type NodeName, parseNode } from '../../daemon/core/node.ts'
import { Routes } from '../../daemon/routes.ts'
import { Lab } from '../netns/lab.ts'

/*
 * The routes to other nodes' pods, in a kernel's table: a node of a test's own with eth0 on 172.30.0.0/24 and
 * fd00:172:30::/64. Nobody answers there: it is the table that counts.
 */

const node = (number: number, more: { podCIDRs?: string[]; ip?: string; createdAt?: string } = {}) =>
  parseNode({
    metadata: { name: `node${number}`, creationTimestamp: more.createdAt ?? '2026-01-01T00:00:00Z' },
    spec: { podCIDRs: more.podCIDRs ?? [`10.244.${number}.0/24`, `fd00:10:244:${number}::/64`] },
    status: {
      addresses: [more.ip ?? `172.30.0.1${number}`, `fd00:172:30::1${number}`].map(address => ({
        type: 'InternalIP',
        address,
      })),
    },
  })

async function stage(t: Test) {
  const lab = new Lab(t)
  const ip = (...args: string[]) => lab.inside(lab.host, 'ip', ...args)
  await ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'segment')
  await ip('address', 'add', '172.30.0.11/24', 'dev', 'eth0')
  await ip('address', 'add', 'fd00:172:30::11/64', 'dev', 'eth0', 'nodad')
  for (const name of ['eth0', 'segment']) await ip('link', 'set', name, 'up')
  const cluster = new Cluster()
  const warnings: string[] = []
  const log = { debug() {}, info() {}, warn: (_: object, text: string) => warnings.push(text), error() {} }
  const routes = new Routes(cluster, 'node1' as NodeName, 'cbr0', log)
  const netns = Netns.open(lab.path(lab.host) as NetnsPath, false)
  t.teardown(() => netns[Symbol.dispose]())
  return {
    ip,
    cluster,
    warnings,
    routes,
    reconcile: () => netns.run(() => routes.reconcile()),
    update: (touched: Touched) => netns.run(() => routes.update(touched)),
    /** The daemon's routes as `DST via GW`, sorted. */
    table: async () => {
      const texts = await Promise.all(['-4', '-6'].map(family => ip(family, 'route', 'show', 'proto', '117')))
      return texts
        .join('')
        .split('\n')
        .flatMap(line => /^(\S+ via \S+)/.exec(line)?.[1] ?? [])
        .sort()
    },
  }
}

const NODE2 = ['10.244.2.0/24 via 172.30.0.12', 'fd00:10:244:2::/64 via fd00:172:30::12']
const NODE3 = ['10.244.3.0/24 via 172.30.0.13', 'fd00:10:244:3::/64 via fd00:172:30::13']

t.test("A full reconcile routes every other node's networks by its address, both families", async t => {
  const { cluster, reconcile, table, routes } = await stage(t)
  cluster.replace([1, 2, 3].map(number => node(number)))
  reconcile()
  t.same(await table(), [...NODE2, ...NODE3].sort())
  t.same(routes.count(4), { wanted: 2, present: 2 })
  t.same(routes.count(6), { wanted: 2, present: 2 })
})

t.test('A full reconcile removes routes of nodes that were deleted while nobody looked', async t => {
  const { cluster, reconcile, table, ip } = await stage(t)
  await ip('route', 'add', '10.244.9.0/24', 'via', '172.30.0.19', 'proto', '117')
  await ip('-6', 'route', 'add', 'fd00:10:244:9::/64', 'via', 'fd00:172:30::19', 'proto', '117')
  cluster.replace([1, 2].map(number => node(number)))
  reconcile()
  t.same(await table(), NODE2)
})

t.test('A full reconcile follows an address that changed while nobody looked', async t => {
  const { cluster, reconcile, table, ip } = await stage(t)
  await ip('route', 'add', '10.244.2.0/24', 'via', '172.30.0.99', 'proto', '117')
  cluster.replace([1, 2].map(number => node(number)))
  reconcile()
  t.same(await table(), NODE2)
})

t.test('A full reconcile brings back what somebody has removed, and removes a twin', async t => {
  const { cluster, reconcile, table, ip } = await stage(t)
  cluster.replace([1, 2].map(number => node(number)))
  reconcile()
  await ip('route', 'del', '10.244.2.0/24')
  await ip(
    '-6',
    'route',
    'add',
    'fd00:10:244:2::/64',
    'via',
    'fd00:172:30::99',
    'metric',
    '7',
    'proto',
    '117',
  )
  reconcile()
  t.same(await table(), NODE2)
})

t.test("Routes of others stay, and one that stands in the daemon's way is named", async t => {
  const { cluster, reconcile, table, ip } = await stage(t)
  await ip('route', 'add', '10.244.2.0/24', 'via', '172.30.0.77', 'proto', 'static')
  await ip('route', 'add', '198.51.100.0/24', 'via', '172.30.0.77')
  const before = await ip('route', 'show', 'proto', 'static')
  cluster.replace([1, 2, 3].map(number => node(number)))
  t.throws(reconcile, { message: /Cannot set 1 route.*10\.244\.2\.0\/24.*EEXIST/ })
  t.equal(await ip('route', 'show', 'proto', 'static'), before)
  t.same(await table(), [NODE2[1]!, ...NODE3].sort(), 'all other routes are there')
})

t.test('A change of one node changes its routes alone, at once', async t => {
  const { cluster, reconcile, update, table } = await stage(t)
  cluster.replace([1, 2].map(number => node(number)))
  reconcile()
  update(cluster.set(node(3)))
  t.same(await table(), [...NODE2, ...NODE3].sort())
  update(cluster.set(node(3, { ip: '172.30.0.33' })))
  t.ok((await table()).includes('10.244.3.0/24 via 172.30.0.33'))
  update(cluster.delete('node3' as NodeName))
  t.same(await table(), NODE2)
})

t.test('A podCIDR that is given to another node is routed there, whichever is heard of first', async t => {
  const { cluster, reconcile, update, table } = await stage(t)
  cluster.replace([1, 2].map(number => node(number)))
  reconcile()
  const heir = node(4, { podCIDRs: ['10.244.2.0/24'], createdAt: '2026-02-01T00:00:00Z' })
  update(cluster.set(heir))
  t.ok((await table()).includes('10.244.2.0/24 via 172.30.0.14'))
  update(cluster.delete('node2' as NodeName))
  t.same(await table(), ['10.244.2.0/24 via 172.30.0.14'])
})

t.test(
  "A network that this node had and another has now goes there: the bridge's old address is removed",
  async t => {
    const { cluster, reconcile, table, ip, warnings } = await stage(t)
    await ip('link', 'add', 'cbr0', 'type', 'bridge')
    await ip('link', 'set', 'cbr0', 'up')
    for (const address of ['10.244.1.1/24', '10.244.2.1/24'])
      await ip('address', 'add', address, 'dev', 'cbr0')
    cluster.replace([1, 2].map(number => node(number)))
    reconcile()
    t.same(await table(), NODE2)
    t.match(await ip('address', 'show', 'dev', 'cbr0'), /10\.244\.1\.1\/24/)
    t.notMatch(await ip('address', 'show', 'dev', 'cbr0'), /10\.244\.2\.1/)
    t.match(warnings.join(), /Removed 10\.244\.2\.1\/24 from cbr0/)
  },
)

t.test('A node that is on no common network is reported once, not routed', async t => {
  const { cluster, reconcile, table, routes, warnings } = await stage(t)
  cluster.replace([node(1), node(2), node(5, { podCIDRs: ['10.244.5.0/24'], ip: '192.0.2.15' })])
  reconcile()
  reconcile()
  t.same(await table(), NODE2)
  t.same(
    [...routes.unreachable()],
    [['node5', 'its InternalIP 192.0.2.15 is on no network that this node is on']],
  )
  t.equal(warnings.length, 1)
  t.match(warnings[0], /^Cannot route to the pods of node node5: /)
})

t.test('When the node gets onto the network of another, the next full reconcile routes there', async t => {
  const { cluster, reconcile, table, ip } = await stage(t)
  cluster.replace([node(1), node(5, { podCIDRs: ['10.244.5.0/24'], ip: '192.0.2.15' })])
  reconcile()
  t.same(await table(), [])
  await ip('address', 'add', '192.0.2.11/24', 'dev', 'eth0')
  reconcile()
  t.same(await table(), ['10.244.5.0/24 via 192.0.2.15'])
})
