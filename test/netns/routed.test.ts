import t from 'tap'
import { Lab, type Pod } from './lab.ts'
import { switchFilter } from './port-stage.ts'

/*
 * Mode l3: containers stand alone with /32 and /128, and all they say to each other is routed through the bridge.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const PINGS = 5

/** The value of a counter in /proc/net/snmp, which has a line of names and one of numbers for each protocol. */
async function counterOf(lab: Lab, netns: string, protocol: string, name: string): Promise<number> {
  const text = await lab.inside(netns, 'cat', '/proc/net/snmp')
  const [names = [], numbers = []] = text
    .split('\n')
    .filter(line => line.startsWith(`${protocol}: `))
    .map(line => line.split(' '))
  return Number(numbers[names.indexOf(name)])
}

t.test('the addresses stand alone, on the interface and in the result', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ mode: 'l3' }, DUAL))
  const [eth0] = await lab.ip(pod.netns, 'address', 'show', 'dev', 'eth0', 'scope', 'global')
  t.match(eth0.addr_info, [
    { local: '10.1.0.2', prefixlen: 32 },
    { local: 'fd00:1::2', prefixlen: 128 },
  ])
  t.match(pod.result.ips, [
    { address: '10.1.0.2/32', gateway: '10.1.0.1' },
    { address: 'fd00:1::2/128', gateway: 'fd00:1::1' },
  ])
})

t.test('containers of one node meet the node’s forward hook', async t => {
  const lab = new Lab(t)
  const config = lab.config({ mode: 'l3' }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  for (const [word, address] of [
    ['ip', other.addresses[0]!],
    ['ip6', other.addresses[1]!],
  ] as const) {
    // `iif` names the bridge itself only for routed packets: what a bridge filters shows its port.
    const routed = await lab.count(lab.host, 'forward', `iifname cbr0 oifname cbr0 ${word} daddr ${address}`)
    await lab.inside(pod.netns, 'ping', '-n', '-q', `-c${PINGS}`, '-i0.01', '-W1', address)
    t.equal(await routed(), PINGS, `every packet to ${address} is routed, the last as the first`)
  }
})

t.test('nobody tells a container of a shorter way', async t => {
  const lab = new Lab(t)
  const config = lab.config({ mode: 'l3' }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  await lab.inside(pod.netns, 'ping', '-n', '-q', `-c${PINGS}`, '-i0.01', '-W1', other.addresses[0]!)
  t.equal(await counterOf(lab, pod.netns, 'Icmp', 'InEchoReps'), PINGS)
  t.equal(await counterOf(lab, pod.netns, 'Icmp', 'InRedirects'), 0)
  t.same(await lab.ip(pod.netns, 'route', 'show', 'cache'), [])
  t.same(await lab.ip(pod.netns, '-6', 'route', 'show', 'cache'), [])
})

t.test('a Service on the node leads to a container of the same node, and back', async t => {
  const lab = new Lab(t)
  const config = lab.config({ mode: 'l3' })
  const [client, server] = [await lab.attach(config), await lab.attach(config)]
  // As on a node without br_netfilter: the bridge asks nobody, so only routing brings the reply to conntrack.
  await lab.inside(
    lab.host,
    'sh',
    '-c',
    'sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true',
  )
  const script = `add table ip service
    add chain ip service in { type nat hook prerouting priority dstnat; }
    add rule ip service in ip daddr 10.96.0.1 dnat to ${server.addresses[0]}`
  await lab.inside(lab.host, 'nft', script)
  t.ok(await lab.pings(client.netns, '10.96.0.1'))
})

/** Services on the node, of both families, that lead to a pod. */
async function serve(lab: Lab, { addresses: [v4, v6] }: Pod): Promise<string[]> {
  const script = `add table inet service
    add chain inet service in { type nat hook prerouting priority dstnat; }
    add chain inet service out { type nat hook postrouting priority srcnat; }
    add rule inet service in ip daddr 10.96.0.1 dnat ip to ${v4}
    add rule inet service in ip6 daddr fd96::1 dnat ip6 to ${v6}
    add rule inet service out ip saddr ${v4} ip daddr ${v4} masquerade
    add rule inet service out ip6 saddr ${v6} ip6 daddr ${v6} masquerade`
  await lab.inside(lab.host, 'nft', script)
  return ['10.96.0.1', 'fd96::1']
}

/** A pod leaves out the gateway: it knows the other's MAC, and says that it is on the same link. */
async function goStraight(lab: Lab, pod: Pod, to: Pod): Promise<void> {
  const { mac } = to.result.interfaces[2]
  for (const [i, address] of to.addresses.entries()) {
    const family = i === 0 ? '-4' : '-6'
    const ip = (...args: string[]) => lab.inside(pod.netns, 'ip', family, ...args)
    await ip('neigh', 'replace', address, 'lladdr', mac, 'dev', 'eth0')
    await ip('route', 'replace', address, 'dev', 'eth0')
  }
}

t.test('portIsolation leaves containers the way by the node, and no other', async t => {
  const lab = new Lab(t)
  await switchFilter(lab, '0')
  const config = lab.config({ mode: 'l3', portIsolation: true }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  const services = await serve(lab, other)
  for (const [from, to] of [
    [pod, [...other.addresses, ...services]],
    [other, services],
  ] as const)
    for (const address of to) t.ok(await lab.pings(from.netns, address), `${from.id} reaches ${address}`)
  await goStraight(lab, pod, other)
  for (const address of other.addresses)
    t.notOk(await lab.pings(pod.netns, address), `not straight to ${address}`)
})

t.test('portIsolation and br_netfilter together keep a Service from containers of the same node', async t => {
  const lab = new Lab(t)
  if (!(await switchFilter(lab, '1'))) {
    t.pass('this kernel has no br_netfilter')
    return
  }
  const [client, server] = [
    await lab.attach(lab.config({ mode: 'l3', portIsolation: true }, DUAL)),
    await lab.attach(lab.config({ mode: 'l3', portIsolation: true }, DUAL)),
  ]
  const [service = ''] = await serve(lab, server)
  t.notOk(await lab.pings(client.netns, service), 'so podwired isolates nobody there')
  const port: string = server.result.interfaces[1].name
  await lab.inside(lab.host, 'bridge', 'link', 'set', 'dev', port, 'isolated', 'off')
  t.ok(await lab.pings(client.netns, service))
})

t.test('mode l3 without ipam is refused', async t => {
  const lab = new Lab(t)
  const answer = await lab.call('ADD', lab.config({ mode: 'l3' }, null), { id: 'c1', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 7, msg: /"l3" without "ipam"/ } })
})
