import fc from 'fast-check'
import t from 'tap'
import { formatCidr, formatIp, parseCidr, parseIp } from '../../ipam/core/ip.ts'
import { Cluster, type Touched } from './cluster.ts'
import type { ClusterNode, NodeName } from './node.ts'

const name = (text: string) => text as NodeName
const node = (called: string, podCidrs: string[], addresses: string[] = [], createdAt = ''): ClusterNode => ({
  name: name(called),
  podCidrs: podCidrs.map(text => parseCidr(text)!),
  addresses: addresses.map(text => parseIp(text)!),
  createdAt,
  problems: [],
})
const texts = ({ podCidrs, addresses }: Touched) => [...podCidrs, ...addresses]

t.test('Cluster.set() says what a new node touches', async t => {
  const cluster = new Cluster()
  t.same(texts(cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.11']))), ['10.244.1.0/24', '172.30.0.11'])
  t.equal(cluster.size, 1)
  t.equal(cluster.ownerOf('10.244.1.0/24')?.node.name, 'a')
  t.equal(cluster.holderOf('172.30.0.11')?.name, 'a')
})

t.test('Cluster.set() says nothing of a heartbeat', async t => {
  const cluster = new Cluster()
  cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.11']))
  t.same(texts(cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.11']))), [])
})

t.test('Cluster.set() touches both what a changed node had and what it has', async t => {
  const cluster = new Cluster()
  cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.11']))
  const touched = cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.99']))
  t.same(texts(touched), ['10.244.1.0/24', '172.30.0.11', '172.30.0.99'])
  t.equal(cluster.holderOf('172.30.0.11'), undefined)
})

t.test('Cluster.delete() touches what the node had, and nothing the second time', async t => {
  const cluster = new Cluster()
  cluster.set(node('a', ['10.244.1.0/24'], ['172.30.0.11']))
  t.same(texts(cluster.delete(name('a'))), ['10.244.1.0/24', '172.30.0.11'])
  t.same(texts(cluster.delete(name('a'))), [])
  t.equal(cluster.ownerOf('10.244.1.0/24'), undefined)
  t.same([...cluster.podCidrs(), ...cluster.addresses()], [])
})

t.test(
  'Cluster.ownerOf() gives a reused network to the younger node, in whichever order they are heard of',
  async t => {
    const old = node('a', ['10.244.1.0/24'], [], '2026-01-01T00:00:00Z')
    const young = node('b', ['10.244.1.0/24'], [], '2026-02-01T00:00:00Z')
    for (const order of [
      [old, young],
      [young, old],
    ]) {
      const cluster = new Cluster()
      for (const each of order) cluster.set(each)
      t.equal(cluster.ownerOf('10.244.1.0/24')?.node.name, 'b')
      cluster.delete(name('b'))
      t.equal(cluster.ownerOf('10.244.1.0/24')?.node.name, 'a')
    }
  },
)

t.test('Cluster.ownerOf() decides between twins by name, so that all nodes decide alike', async t => {
  const cluster = new Cluster()
  for (const called of ['b', 'c', 'a']) cluster.set(node(called, ['10.244.1.0/24']))
  t.equal(cluster.ownerOf('10.244.1.0/24')?.node.name, 'c')
})

t.test('Cluster.replace() forgets nodes that a complete list does not have', async t => {
  const cluster = new Cluster()
  cluster.replace([node('a', ['10.244.1.0/24']), node('b', ['10.244.2.0/24'])])
  cluster.replace([node('b', ['10.244.2.0/24'])])
  t.equal(cluster.node(name('a')), undefined)
  t.same([...cluster.podCidrs()], ['10.244.2.0/24'])
})

t.test('Cluster knows after any history what it would know had it only seen the end', async t => {
  const anyNode = fc.record({
    called: fc.constantFrom('a', 'b', 'c'),
    cidrs: fc.subarray(['10.244.1.0/24', '10.244.2.0/24', 'fd00::/64']),
    ips: fc.subarray(['172.30.0.11', '172.30.0.12', 'fd00:1::1']),
    at: fc.constantFrom('1', '2'),
  })
  const history = fc.array(fc.oneof(anyNode, fc.constantFrom('a', 'b', 'c')))
  fc.assert(
    fc.property(history, events => {
      const [lived, end] = [new Cluster(), new Map<string, ClusterNode>()]
      for (const event of events) {
        if (typeof event === 'string') {
          lived.delete(name(event))
          end.delete(event)
        } else {
          const made = node(event.called, event.cidrs, event.ips, event.at)
          lived.set(made)
          end.set(event.called, made)
        }
      }
      const fresh = new Cluster()
      fresh.replace([...end.values()])
      const sight = (cluster: Cluster) => [
        ...[...cluster.podCidrs()].sort().map(cidr => [cidr, cluster.ownerOf(cidr)?.node.name]),
        ...[...cluster.addresses()].sort(),
      ]
      t.same(sight(lived), sight(fresh))
      t.same(
        new Set(lived.podCidrs()),
        new Set([...end.values()].flatMap(({ podCidrs }) => podCidrs.map(formatCidr))),
      )
      t.same(
        new Set(lived.addresses()),
        new Set([...end.values()].flatMap(({ addresses }) => addresses.map(formatIp))),
      )
    }),
  )
})
