import t from 'tap'
import { Lab } from './lab.ts'

/*
 * The bridge's own addresses: isGateway, isDefaultGateway, forceAddress.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const MOVED = { ranges: [[{ subnet: '10.2.0.0/24' }], [{ subnet: 'fd00:1::/56' }]] }

const addressesOn = async (lab: Lab, name: string): Promise<string[]> => {
  const [link] = await lab.ip(lab.host, 'address', 'show', 'dev', name)
  const global = link.addr_info.filter((info: { scope: string }) => info.scope === 'global')
  return global.map((info: { local: string; prefixlen: number }) => `${info.local}/${info.prefixlen}`)
}

const defaultRoutes = async (lab: Lab, netns: string): Promise<string[]> => {
  const routes = [
    ...(await lab.ip(netns, '-4', 'route', 'show', 'default')),
    ...(await lab.ip(netns, '-6', 'route', 'show', 'default')),
  ]
  return routes.map(route => route.gateway)
}

t.test('without isGateway the bridge has no address and the container no way out', async t => {
  const lab = new Lab(t)
  const config = lab.config({ isDefaultGateway: false }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  t.same(await addressesOn(lab, 'cbr0'), [])
  t.same(await defaultRoutes(lab, pod.netns), [])
  for (const address of other.addresses) {
    t.ok(await lab.pings(pod.netns, address), `containers reach each other at ${address}`)
  }
})

t.test('isGateway puts the gateway on the bridge, and no default route into the container', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ isGateway: true, isDefaultGateway: false }, DUAL))
  t.same(await addressesOn(lab, 'cbr0'), ['10.1.0.1/24', 'fd00:1::1/64'])
  t.same(await defaultRoutes(lab, pod.netns), [])
  t.match(pod.result.ips, [{ gateway: '10.1.0.1' }, { gateway: 'fd00:1::1' }])
  for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']) {
    t.equal(await lab.inside(lab.host, 'sysctl', '-n', key), '1\n', `the node forwards: ${key}`)
  }
})

t.test('isDefaultGateway adds the default routes that the config does not have', async t => {
  const lab = new Lab(t)
  const routes = [{ dst: '0.0.0.0/0', gw: '10.1.0.77' }]
  const pod = await lab.attach(lab.config({}, { ...DUAL, routes }))
  t.same(await defaultRoutes(lab, pod.netns), ['10.1.0.77', 'fd00:1::1'])
  t.match(pod.result.routes, [
    { dst: '0.0.0.0/0', gw: '10.1.0.77' },
    { dst: '::/0', gw: 'fd00:1::1' },
  ])
})

t.test('the gateway that a range names is the one on the bridge', async t => {
  const lab = new Lab(t)
  const ranges = [[{ subnet: '10.1.0.0/24', gateway: '10.1.0.254' }]]
  const pod = await lab.attach(lab.config({}, { ranges }))
  t.same(await addressesOn(lab, 'cbr0'), ['10.1.0.254/24'])
  t.ok(await lab.pings(pod.netns, '10.1.0.254'))
})

t.test('forceAddress replaces what an older podCIDR left on the bridge', async t => {
  const lab = new Lab(t)
  const old = lab.config({}, DUAL)
  const pod = await lab.attach(old)
  await lab.call('DEL', old, pod)
  const next = { id: 'next', netns: lab.namespace() }
  t.match(await lab.call('ADD', lab.config({}, MOVED), next), {
    code: 1,
    json: { code: 106, msg: /"cbr0".*10\.2\.0\.1\/24.*10\.1\.0\.1\/24.*forceAddress/ },
  })
  t.same(await addressesOn(lab, 'cbr0'), ['10.1.0.1/24', 'fd00:1::1/64'], 'refused, nothing is replaced')
  t.match(await lab.call('ADD', lab.config({ forceAddress: true }, MOVED), next), { code: 0 })
  t.same(await addressesOn(lab, 'cbr0'), ['10.2.0.1/24', 'fd00:1::1/56'])
  for (const gateway of ['10.2.0.1', 'fd00:1::1']) t.ok(await lab.pings(next.netns, gateway), gateway)
})

t.test('two IPv4 subnets of one attachment stand on the bridge together', async t => {
  const lab = new Lab(t)
  const ranges = [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24' }]]
  await lab.attach(lab.config({}, { ranges }))
  const pod = await lab.attach(lab.config({}, { ranges }))
  t.same(await addressesOn(lab, 'cbr0'), ['10.1.0.1/24', '10.2.0.1/24'])
  for (const gateway of ['10.1.0.1', '10.2.0.1']) t.ok(await lab.pings(pod.netns, gateway), gateway)
})

const macOf = async (lab: Lab, name: string): Promise<string> =>
  (await lab.ip(lab.host, 'link', 'show', 'dev', name))[0].address

t.test('the bridge keeps its MAC while containers come and go', async t => {
  const lab = new Lab(t)
  const first = await lab.attach(lab.config())
  const mac = await macOf(lab, 'cbr0')
  t.equal(first.result.interfaces[0].mac, mac)
  for (let i = 0; i < 4; i += 1) await lab.attach(lab.config())
  await lab.call('DEL', lab.config(), first)
  t.equal(await macOf(lab, 'cbr0'), mac)
})

t.test('a bridge of somebody else keeps its MAC too, once it is a gateway', async t => {
  const lab = new Lab(t)
  await lab.inside(lab.host, 'ip', 'link', 'add', 'cbr0', 'type', 'bridge')
  await lab.inside(lab.host, 'ip', 'link', 'set', 'cbr0', 'up')
  const pods = []
  for (let i = 0; i < 5; i += 1) pods.push(await lab.attach(lab.config()))
  const macs = pods.map(pod => pod.result.interfaces[0].mac)
  t.same(new Set(macs), new Set([await macOf(lab, 'cbr0')]))
})

t.test('a bridge whose maker died is finished by the next ADD', async t => {
  const lab = new Lab(t)
  await lab.inside(lab.host, 'ip', 'link', 'add', 'cbr0', 'type', 'bridge')
  const pod = await lab.attach(lab.config({}, DUAL))
  for (const key of ['accept_ra', 'accept_dad']) {
    t.equal(await lab.inside(lab.host, 'sysctl', '-n', `net.ipv6.conf.cbr0.${key}`), '0\n', key)
  }
  for (const gateway of ['10.1.0.1', 'fd00:1::1']) t.ok(await lab.pings(pod.netns, gateway), gateway)
})
