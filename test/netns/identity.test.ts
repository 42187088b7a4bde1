import { writeFileSync } from 'node:fs'
import t from 'tap'
import { type Config, Lab } from './lab.ts'

/*
 * Who a container is: its MAC, the addresses it asks for, its dns, and the arguments a runtime says it by.
 */

const MACS = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'] as const
const MAC_ARGS = { env: { CNI_ARGS: `MAC=${MACS[0]}` } }
const MAC_CASES: { from: string; keys: Config; mac: string }[] = [
  { from: 'CNI_ARGS', keys: {}, mac: MACS[0] },
  { from: 'args.cni over CNI_ARGS', keys: { args: { cni: { mac: MACS[1] } } }, mac: MACS[1] },
  {
    from: 'runtimeConfig over both',
    keys: { args: { cni: { mac: MACS[1] } }, runtimeConfig: { mac: MACS[2] } },
    mac: MACS[2],
  },
]

for (const { from, keys, mac } of MAC_CASES) {
  t.test(`the MAC comes from ${from}`, async t => {
    const lab = new Lab(t)
    const pod = await lab.attach(lab.config({ macspoofchk: true, ...keys }), MAC_ARGS)
    const [eth0] = await lab.ip(pod.netns, 'link', 'show', 'dev', 'eth0')
    t.equal(eth0.address, mac)
    t.equal(pod.result.interfaces[2].mac, mac)
    t.ok(await lab.pings(pod.netns, '10.1.0.1'), 'and the spoof check knows it')
  })
}

t.test('a MAC that no interface can have is refused', async t => {
  const lab = new Lab(t)
  for (const mac of ['01:00:5e:00:00:01', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff', 'mac']) {
    const config = lab.config({ runtimeConfig: { mac } })
    const answer = await lab.call('ADD', config, { id: 'c1', netns: lab.namespace() })
    t.match(answer, { code: 1, json: { code: 7, msg: mac } }, mac)
  }
})

t.test('unknown CNI_ARGS are refused unless IgnoreUnknown says otherwise', async t => {
  const lab = new Lab(t)
  const pod = (CNI_ARGS: string) => ({ id: 'c1', netns: lab.namespace(), env: { CNI_ARGS } })
  t.match(await lab.call('ADD', lab.config(), pod('K8S_POD_NAME=web')), {
    code: 1,
    json: { code: 4, msg: /K8S_POD_NAME.*IgnoreUnknown/ },
  })
  const ignored = pod('IgnoreUnknown=1;K8S_POD_NAME=web;K8S_POD_NAMESPACE=default')
  t.match(await lab.call('ADD', lab.config(), ignored), { code: 0 })
  t.match(await lab.call('DEL', lab.config(), ignored), { code: 0, stdout: /^$/ })
})

const WISHES: { from: string; env?: Record<string, string>; keys: Config }[] = [
  { from: 'CNI_ARGS', env: { CNI_ARGS: 'IP=10.1.0.77' }, keys: {} },
  { from: 'args.cni', keys: { args: { cni: { ips: ['10.1.0.77'] } } } },
  { from: 'runtimeConfig', keys: { runtimeConfig: { ips: ['10.1.0.77/24'] } } },
]
for (const { from, env = {}, keys } of WISHES) {
  t.test(`the address that ${from} asks for is given, once`, async t => {
    const lab = new Lab(t)
    const config = lab.config(keys)
    const pod = await lab.attach(config, { env })
    t.same(pod.addresses, ['10.1.0.77'])
    t.ok(await lab.pings(lab.host, '10.1.0.77'))
    const answer = await lab.call('ADD', config, { id: 'second', netns: lab.namespace(), env })
    t.match(answer, { code: 1, json: { code: 102, msg: /10\.1\.0\.77/ } })
  })
}

t.test('dns is the config’s own, else that of resolvConf', async t => {
  const lab = new Lab(t)
  const resolvConf = `${lab.folder}/resolv.conf`
  writeFileSync(resolvConf, 'nameserver 192.0.2.53\nsearch example.org\noptions ndots:2\n')
  const dns = { nameservers: ['10.96.0.10'], domain: 'cluster.local' }
  const own = await lab.attach(lab.config({ dns }, { resolvConf }))
  t.same(own.result.dns, dns)
  const read = await lab.attach(lab.config({}, { resolvConf }))
  t.same(read.result.dns, {
    nameservers: ['192.0.2.53'],
    search: ['example.org'],
    options: ['ndots:2'],
  })
})

t.test('one container has several interfaces, each an attachment of its own', async t => {
  const lab = new Lab(t)
  const first = await lab.attach(lab.config())
  const config = lab.config(
    { name: 'second', bridge: 'second0', isDefaultGateway: false, isGateway: true },
    {
      ranges: [[{ subnet: '10.2.0.0/24' }]],
    },
  )
  const second = await lab.attach(config, { ...first, ifname: 'net1' })
  t.ok(await lab.pings(first.netns, '10.1.0.1'))
  t.ok(await lab.pings(first.netns, '10.2.0.1'))
  t.match(await lab.call('DEL', config, second), { code: 0, stdout: /^$/ })
  t.ok(await lab.pings(first.netns, '10.1.0.1'))
  const held = (await lab.traces()).reservations.map(file => file.replace(/.*\//, ''))
  t.same([...new Set(held)], first.addresses)
})
