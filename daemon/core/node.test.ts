import t from 'tap'
import { formatCidr, formatIp, IPV4, IPV6 } from '../../ipam/core/ip.ts'
import { addressOf, parseNode, parseNodeName } from './node.ts'

const object = (spec: object, addresses: unknown = [], name: unknown = 'node1') => ({
  metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec,
  status: { addresses },
})

t.test("parseNode() keeps a node's networks and InternalIPs, in the order of the object", async t => {
  const node = parseNode(
    object({ podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:10:244:1::/64'] }, [
      { type: 'Hostname', address: 'node1' },
      { type: 'InternalIP', address: '172.30.0.11' },
      { type: 'ExternalIP', address: '192.0.2.1' },
      { type: 'InternalIP', address: 'fd00::11' },
    ]),
  )
  t.equal(node.name, 'node1')
  t.same(node.podCidrs.map(formatCidr), ['10.244.1.0/24', 'fd00:10:244:1::/64'])
  t.same(node.addresses.map(formatIp), ['172.30.0.11', 'fd00::11'])
  t.equal(node.createdAt, '2026-01-01T00:00:00Z')
  t.same(node.problems, [])
  t.equal(formatIp(addressOf(node, IPV6)!), 'fd00::11')
  t.equal(formatIp(addressOf(node, IPV4)!), '172.30.0.11')
})

t.test('parseNode() takes podCIDR alone, as API servers from before dual stack send it', async t => {
  t.same(parseNode(object({ podCIDR: '10.244.1.0/24' })).podCidrs.map(formatCidr), ['10.244.1.0/24'])
})

t.test('parseNode() finds no network on a node that has been given none', async t => {
  for (const spec of [{}, { podCIDR: '' }, { podCIDRs: null }, { podCIDRs: [] }])
    t.same(parseNode(object(spec)).podCidrs, [])
})

t.test('parseNode() clears host bits, so that a network has one name', async t => {
  t.same(parseNode(object({ podCIDRs: ['10.244.1.7/24'] })).podCidrs.map(formatCidr), ['10.244.1.0/24'])
})

t.test('parseNode() leaves out what makes no sense, and says so', async t => {
  const node = parseNode(
    object({ podCIDRs: ['10.244.1.0/24', '10.244.300.0/24', 7] }, [
      { type: 'InternalIP', address: '172.30.0.11; drop table' },
      { type: 'InternalIP' },
      'nonsense',
    ]),
  )
  t.same(node.podCidrs.map(formatCidr), ['10.244.1.0/24'])
  t.same(node.addresses, [])
  t.same(node.problems, [
    'podCIDR "10.244.300.0/24" is no network',
    'podCIDR 7 is no network',
    'InternalIP "172.30.0.11; drop table" is no address',
    'InternalIP undefined is no address',
  ])
})

t.test('parseNode() refuses what has no proper name', async t => {
  for (const name of [null, '', 7, 'Node', '../node', 'node1.', 'a'.repeat(254), 'a\nb'])
    t.throws(() => parseNode(object({}, [], name)), { message: /no proper metadata.name/ })
  for (const json of [undefined, null, [], 'node1', 7]) t.throws(() => parseNode(json))
  t.throws(() => parseNode(object({}, 'none', 'node 1')))
})

t.test('parseNode() reads addresses that are no list as none', async t => {
  t.same(parseNode(object({}, 'none')).addresses, [])
})

t.test('parseNodeName() takes DNS subdomains', async t => {
  t.equal(parseNodeName('ip-10-0-0-1.eu-west-1.compute.internal'), 'ip-10-0-0-1.eu-west-1.compute.internal')
  t.equal(parseNodeName('-node'), undefined)
})
