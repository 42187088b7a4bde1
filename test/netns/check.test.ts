import { rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Lab, type Pod } from './lab.ts'

/*
 * CHECK names each single thing that is damaged, and is silent about all that plugins later in a chain may change.
 */

const KEYS = { ipMasq: true, macspoofchk: true, hairpinMode: true }
const IPAM = {
  ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]],
  routes: [{ dst: '10.9.0.0/16' }],
}

interface Damage {
  /** Where, and the command that does it. */
  readonly where: 'host' | 'container'
  readonly command: (pod: Pod) => string
  readonly msg: RegExp
}

const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const host = (command: Damage['command'], msg: RegExp): Damage => ({ where: 'host', command, msg })
const container = (command: string, msg: RegExp): Damage => ({
  where: 'container',
  command: () => command,
  msg,
})

const DAMAGES: Record<string, Damage> = {
  'the interface is down': container('ip link set eth0 down', /"eth0" is down|lost the route/),
  'the interface is gone': container('ip link del eth0', /veth\S+" is gone|no interface "eth0"/),
  'the interface has another name': container(
    'ip link set eth0 down; ip link set eth0 name eth5',
    /no interface "eth0"/,
  ),
  'the IPv4 address is gone': container('ip address flush dev eth0 scope global', /lost the address 10\.1\./),
  'the IPv6 address is gone': container(
    'ip -6 address flush dev eth0 scope global',
    /lost the address fd00:/,
  ),
  'a route is gone': container('ip route del 10.9.0.0/16', /lost the route 10\.9\.0\.0\/16/),
  'the default route is gone': container('ip route del default', /lost the route 0\.0\.0\.0\/0/),
  'the MAC is another': container(
    'ip link set eth0 address 02:00:00:00:00:09',
    /has the MAC 02:00:00:00:00:09/,
  ),
  'the host veth is down': host(pod => `ip link set ${hostVeth(pod)} down`, /"veth\S+" is down/),
  'the host veth is off the bridge': host(pod => `ip link set ${hostVeth(pod)} nomaster`, /not a port of/),
  'the bridge is gone': host(() => 'ip link del cbr0', /"cbr0" is gone/),
  'the bridge is down': host(() => 'ip link set cbr0 down', /"cbr0" is down/),
  'the gateway is gone': host(() => 'ip address flush dev cbr0', /"cbr0" has lost the address 10\.1\.0\.1/),
  'hairpin is off': host(pod => `bridge link set dev ${hostVeth(pod)} hairpin off`, /hairpin mode is off/),
  'the masquerade is gone': host(
    pod => `nft delete element inet podwire masquerade6 { ${pod.addresses[1]} }`,
    /masquerade rule of fd00:1::/,
  ),
  'the spoof check is gone': host(
    pod => `nft delete chain inet podwire spoof-${hostVeth(pod)}`,
    /spoof check of "veth/,
  ),
  'no packet comes to the masquerade': host(
    () => 'nft flush chain inet podwire postrouting',
    /chain "postrouting" of table "inet podwire" has lost rules/,
  ),
  'a subnet is not masqueraded': host(
    () => 'nft flush chain inet podwire leaving-fd00_1__/64',
    /chain "leaving-fd00_1__\/64" of table "inet podwire" has lost rules/,
  ),
  'one of the rules of a subnet is gone': host(
    () =>
      "nft delete rule inet podwire leaving-10.1.0.0/24 handle $(nft -a list chain inet podwire leaving-10.1.0.0/24 | sed -n 's/.* return # handle //p')",
    /chain "leaving-10\.1\.0\.0\/24" of table "inet podwire" has lost rules/,
  ),
  'all chains are empty': host(() => 'nft flush table inet podwire', /spoof check|has lost rules/),
  'all rules are gone': host(() => 'nft delete table inet podwire', /rule|spoof check/),
}

const lab = new Lab(t)
const config = lab.config(KEYS, IPAM)

async function checks(pod: Pod, prevResult: unknown = pod.result) {
  return lab.call('CHECK', { ...config, prevResult }, pod)
}

for (const [what, { where, command, msg }] of Object.entries(DAMAGES)) {
  t.test(`CHECK says that ${what}`, async t => {
    const pod = await lab.attach(config)
    t.match(await checks(pod), { code: 0, stdout: /^$/, stderr: /^$/ }, 'silent before')
    await lab.inside(where === 'host' ? lab.host : pod.netns, 'sh', '-c', command(pod))
    t.match(await checks(pod), { code: 1, json: { code: 114, msg } })
    await lab.call('DEL', config, pod)
  })
}

t.test('CHECK says that the address is reserved no more', async t => {
  const pod = await lab.attach(config)
  rmSync(`${lab.folder}/ipam/lab/${pod.addresses[0]}`)
  t.match(await checks(pod), { code: 1, json: { code: 114, msg: /holds no address of 10\.1\./ } })
})

const TOLERATED: Record<string, string> = {
  'an address more': 'ip address add 10.77.0.1/24 dev eth0',
  'a route more': 'ip route add 10.78.0.0/16 dev eth0',
  'another MTU': 'ip link set eth0 mtu 1400',
  'promiscuous mode': 'ip link set eth0 promisc on',
  'an interface more': 'ip link add net1 type veth peer name net2',
  'other settings': 'sysctl -qw net.ipv4.conf.eth0.arp_notify=0 net.ipv6.conf.eth0.accept_ra=0',
  'another queue length': 'ip link set eth0 txqueuelen 100',
}

for (const [what, command] of Object.entries(TOLERATED)) {
  t.test(`CHECK tolerates ${what}`, async t => {
    const pod = await lab.attach(config)
    await lab.inside(pod.netns, 'sh', '-c', command)
    t.match(await checks(pod), { code: 0, stdout: /^$/, stderr: /^$/ })
  })
}

t.test('CHECK takes the result of a chain, in which others have added interfaces and addresses', async t => {
  const pod = await lab.attach(config)
  const { interfaces, ips, routes } = pod.result
  const chained = {
    ...pod.result,
    interfaces: [...interfaces, { name: 'net1', mac: '02:00:00:00:00:05', sandbox: lab.path(pod.netns) }],
    ips: [...ips, { address: '10.88.0.2/16', interface: 3 }],
    routes,
  }
  t.match(await checks(pod, chained), { code: 0, stdout: /^$/, stderr: /^$/ })
})

t.test('CHECK takes a MAC that a later plugin has set and told of', async t => {
  const plain = lab.config({}, IPAM)
  const pod = await lab.attach(plain)
  const mac = '02:00:00:00:00:06'
  await lab.inside(pod.netns, 'ip', 'link', 'set', 'eth0', 'address', mac)
  const [bridge, veth, eth0] = pod.result.interfaces
  const prevResult = { ...pod.result, interfaces: [bridge, veth, { ...eth0, mac }] }
  t.match(await lab.call('CHECK', { ...plain, prevResult }, pod), { code: 0, stdout: /^$/ })
})

t.test('CHECK refuses a prevResult that is missing or of somebody else', async t => {
  const pod = await lab.attach(config)
  await refuses(t, pod, undefined, 7, /Required prevResult missing/)
  await refuses(t, pod, { ...pod.result, ips: 'none' }, 7, /prevResult\.ips/)
  const [, , eth0] = pod.result.interfaces
  const elsewhere = [{ ...eth0, sandbox: '/run/netns/elsewhere' }]
  await refuses(t, pod, { ...pod.result, interfaces: elsewhere, ips: [] }, 114, /names no interface "eth0"/)
})

async function refuses(t: Test, pod: Pod, prevResult: unknown, code: number, msg: RegExp): Promise<void> {
  t.match(await lab.call('CHECK', { ...config, prevResult }, pod), { code: 1, json: { code, msg } })
}

t.test('CHECK of a namespace that is gone says so', async t => {
  const pod = await lab.attach(config)
  lab.remove(pod.netns)
  t.match(await checks(pod), { code: 1, json: { code: 4, msg: /ENOENT/ } })
})
