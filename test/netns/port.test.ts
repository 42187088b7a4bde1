import t from 'tap'
import { Lab, type Pod } from './lab.ts'

/*
 * The keys that shape bridge, port and interface: mtu, hairpinMode, promiscMode, portIsolation, macspoofchk,
 * disableContainerInterface, and the VLAN keys.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const GATEWAYS = ['10.1.0.1', 'fd00:1::1']
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const linkOf = async (lab: Lab, netns: string, name: string) =>
  (await lab.ip(netns, 'link', 'show', 'dev', name))[0]

t.test('mtu is that of both ends, of a new bridge and of the result', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ mtu: 1400 }))
  t.match(await linkOf(lab, pod.netns, 'eth0'), { mtu: 1400 })
  t.match(await linkOf(lab, lab.host, hostVeth(pod)), { mtu: 1400 })
  t.match(await linkOf(lab, lab.host, 'cbr0'), { mtu: 1400 })
  t.match(pod.result.interfaces, [{ mtu: 1400 }, { mtu: 1400 }, { mtu: 1400 }])
})

t.test('without mtu it is that of the interface of the default route', async t => {
  const lab = new Lab(t)
  await lab.inside(lab.host, 'ip', 'link', 'add', 'up0', 'mtu', '1380', 'type', 'veth', 'peer', 'up1')
  for (const name of ['up0', 'up1']) await lab.inside(lab.host, 'ip', 'link', 'set', name, 'up')
  await lab.inside(lab.host, 'ip', 'address', 'add', '192.0.2.1/24', 'dev', 'up0')
  await lab.inside(lab.host, 'ip', 'route', 'add', 'default', 'via', '192.0.2.2')
  const pod = await lab.attach(lab.config())
  t.match(await linkOf(lab, pod.netns, 'eth0'), { mtu: 1380 })
  t.match(await linkOf(lab, lab.host, hostVeth(pod)), { mtu: 1380 })
  t.equal(pod.result.interfaces[2].mtu, 1380)
})

t.test('without mtu and default route it is that of Ethernet', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config())
  t.match(await linkOf(lab, pod.netns, 'eth0'), { mtu: 1500 })
})

t.test('the result has the true names, MACs and MTUs', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ mtu: 1450 }))
  const [bridge, veth, eth0] = pod.result.interfaces
  for (const [netns, { name, mac, mtu }] of [
    [lab.host, bridge],
    [lab.host, veth],
    [pod.netns, eth0],
  ] as const) {
    t.match(await linkOf(lab, netns, name), { address: mac, mtu }, name)
  }
  t.equal(eth0.sandbox, lab.path(pod.netns))
  t.same(
    pod.result.ips.map((ip: { interface: number }) => ip.interface),
    [2],
  )
})

t.test('hairpinMode lets a container reach itself through an address that is translated', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ hairpinMode: true }))
  const [ip = ''] = pod.addresses
  t.match(await linkOf(lab, lab.host, hostVeth(pod)), { linkinfo: { info_slave_data: { hairpin: true } } })
  await lab.inside(
    lab.host,
    'nft',
    `add table ip service
     add chain ip service in { type nat hook prerouting priority dstnat; }
     add rule ip service in ip daddr 10.96.0.1 dnat to ${ip}
     add chain ip service out { type nat hook postrouting priority srcnat; }
     add rule ip service out ip saddr ${ip} ip daddr ${ip} masquerade`,
  )
  t.ok(await lab.pings(pod.netns, '10.96.0.1'))
})

t.test('without hairpinMode a port sends nothing back', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config())
  t.match(await linkOf(lab, lab.host, hostVeth(pod)), { linkinfo: { info_slave_data: { hairpin: false } } })
})

t.test('promiscMode makes the bridge promiscuous', async t => {
  const lab = new Lab(t)
  await lab.attach(lab.config())
  t.notOk((await linkOf(lab, lab.host, 'cbr0')).flags.includes('PROMISC'))
  await lab.attach(lab.config({ promiscMode: true }))
  t.ok((await linkOf(lab, lab.host, 'cbr0')).flags.includes('PROMISC'))
})

t.test('portIsolation keeps containers apart, and leaves them the gateway', async t => {
  const lab = new Lab(t)
  const config = lab.config({ portIsolation: true }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  const open = await lab.attach(lab.config({}, DUAL))
  for (const gateway of GATEWAYS) t.ok(await lab.pings(pod.netns, gateway), `${gateway} answers`)
  for (const address of other.addresses) t.notOk(await lab.pings(pod.netns, address), `${address} is silent`)
  for (const address of open.addresses)
    t.ok(await lab.pings(pod.netns, address), `${address} is not isolated`)
})

t.test('macspoofchk cuts off a container that takes another MAC', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ macspoofchk: true }, DUAL))
  const setMac = (mac: string) => lab.inside(pod.netns, 'ip', 'link', 'set', 'eth0', 'address', mac)
  await setMac('02:00:00:00:00:77')
  for (const gateway of GATEWAYS) t.notOk(await lab.pings(pod.netns, gateway), `${gateway} is silent`)
  await setMac(pod.result.interfaces[2].mac)
  for (const gateway of GATEWAYS) t.ok(await lab.pings(pod.netns, gateway), `${gateway} answers again`)
})

t.test('disableContainerInterface leaves the interface down and without addresses', async t => {
  const lab = new Lab(t)
  const config = lab.config({ disableContainerInterface: true, isDefaultGateway: false }, null)
  const pod = await lab.attach(config)
  const [eth0] = await lab.ip(pod.netns, 'address', 'show', 'dev', 'eth0')
  t.notOk(eth0.flags.includes('UP'))
  t.same(eth0.addr_info, [])
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0, stdout: /^$/ })
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('without ipam the interface is up and has no address of ours', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({}, null))
  const [eth0] = await lab.ip(pod.netns, '-4', 'address', 'show', 'dev', 'eth0')
  t.same(eth0?.addr_info ?? [], [])
  t.ok((await linkOf(lab, pod.netns, 'eth0')).flags.includes('UP'))
})
