import t from 'tap'
import { namespace, pod, ports } from '../../../../test/support/policy-objects.ts'
import { formatIp } from '../../../../ipam/core/ip.ts'
import { parseNode } from '../../node.ts'
import { casesOf, type Told } from './ends.ts'
import { parsePolicyCommand } from './question.ts'

const node = (name: string, ...ips: readonly string[]) =>
  parseNode({
    metadata: { name },
    status: { addresses: ips.map(address => ({ type: 'InternalIP', address })) },
  })

const HOST = { spec: { hostNetwork: true, nodeName: 'n1' } }
const PODS = [
  pod('shop/web-1', ['10.1.0.1', 'fd00:1::1']),
  pod('shop/db', ['10.1.0.2', 'fd00:1::2'], {}, { spec: ports('sql:5432/TCP', 'dns:53/UDP') }),
  pod('shop/old', ['10.1.0.3'], {}, { status: { phase: 'Succeeded' } }),
  pod('shop/six', ['fd00:1::4']),
  pod('system/proxy', ['172.30.0.1'], {}, HOST),
  pod('system/lost', ['172.30.0.9'], {}, { spec: { hostNetwork: true, nodeName: 'n9' } }),
]
const TOLD: Told = {
  pods: PODS,
  namespaces: ['shop', 'system', 'empty'].map(name => namespace(name)),
  policies: [],
  nodes: [node('n1', '172.30.0.1', 'fd00:30::1', '172.31.0.1'), node('n2', '172.30.0.2')],
}

/** The packets in short: `SOURCE[@NODE] > DESTINATION[@NODE] PROTOCOL PORT`. */
function packets(from: string, to: string, told = TOLD): string[] {
  const command = parsePolicyCommand(['explain', `--from=${from}`, `--to=${to}`], {})
  if (command.kind !== 'explain') throw new Error(`it is ${command.kind}`)
  const at = (name: string | undefined): string => (name === undefined ? '' : `@${name}`)
  return casesOf(command.question, told).map(
    ({ packet: { source, destination, sender, receiver, protocol, port } }) =>
      `${formatIp(source)}${at(sender)} > ${formatIp(destination)}${at(receiver)} ${protocol} ${port}`,
  )
}

t.test('casesOf() has a packet for each family that both ends have', async t => {
  t.same(packets('shop/web-1', 'shop/db:80'), ['10.1.0.1 > 10.1.0.2 tcp 80', 'fd00:1::1 > fd00:1::2 tcp 80'])
  t.same(packets('shop/web-1', 'shop/six:80/UDP'), ['fd00:1::1 > fd00:1::4 udp 80'])
  t.same(packets('10.1.0.1', 'shop/db:80'), ['10.1.0.1 > 10.1.0.2 tcp 80'])
  t.throws(() => packets('10.0.0.1', 'shop/six:80'), {
    message: 'Cannot judge: 10.0.0.1 has 10.0.0.1, and shop/six has fd00:1::4: of no family do both have one',
  })
})

t.test('casesOf() knows the addresses of nodes, and that pods on the host’s network have these', async t => {
  t.same(packets('172.31.0.1', 'shop/db:80'), ['172.31.0.1@n1 > 10.1.0.2 tcp 80'])
  t.same(packets('shop/web-1', '172.30.0.2:22'), ['10.1.0.1 > 172.30.0.2@n2 tcp 22'])
  t.same(packets('system/proxy', 'shop/db:80'), [
    '172.30.0.1@n1 > 10.1.0.2 tcp 80',
    'fd00:30::1@n1 > fd00:1::2 tcp 80',
  ])
})

t.test('casesOf() looks up ports by name, as the destination has them', async t => {
  t.same(packets('10.0.0.1', 'shop/db:sql'), ['10.0.0.1 > 10.1.0.2 tcp 5432'])
  t.same(packets('10.0.0.1', 'shop/db:dns/UDP'), ['10.0.0.1 > 10.1.0.2 udp 53'])
  t.throws(() => packets('10.0.0.1', 'shop/db:dns'), {
    message: 'Cannot find port "dns/TCP" of shop/db: it has dns/UDP, sql/TCP',
  })
  t.throws(() => packets('10.0.0.1', 'shop/web-1:http'), {
    message: 'Cannot find port "http/TCP" of shop/web-1: it has no ports with names',
  })
  t.throws(() => packets('shop/web-1', '10.1.0.2:sql'), {
    message: 'Cannot find port "sql" of 10.1.0.2: an address has no names for ports; give a number',
  })
})

t.test('casesOf() tells what there is when it does not find a pod', async t => {
  t.throws(() => packets('shop/web', 'shop/db:1'), {
    message: 'Cannot find pod shop/web: namespace "shop" has web-1, db, old, six',
  })
  t.throws(() => packets('empty/web', 'shop/db:1'), {
    message: 'Cannot find pod empty/web: namespace "empty" has no pods',
  })
  t.throws(() => packets('shops/web', 'shop/db:1'), {
    message: 'Cannot find pod shops/web: there is no namespace "shops", but shop, system, empty',
  })
  t.throws(() => packets('a/b', '10.0.0.1:1', { ...TOLD, pods: [], namespaces: [] }), {
    message: 'Cannot find pod a/b: there is no namespace "a", but none at all',
  })
  const pods = Array.from({ length: 7 }, (_, i) => pod(`shop/web-${i}`, []))
  t.throws(() => packets('shop/web', 'shop/db:1', { ...TOLD, pods }), {
    message: 'Cannot find pod shop/web: namespace "shop" has web-0, web-1, web-2, web-3, web-4 and 2 more',
  })
})

t.test('casesOf() says of a pod without an address that it has none', async t => {
  for (const name of ['shop/old', 'system/lost'])
    t.throws(() => packets(name, 'shop/db:1'), {
      message: `Cannot judge ${name}: it has no address, because it is not wired yet or has ended; see "kubectl get pods -o wide"`,
    })
})
