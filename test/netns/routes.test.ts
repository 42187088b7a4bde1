import t from 'tap'
import { Lab } from './lab.ts'

/*
 * The container's routes with all that a route may say, and duplicate address detection.
 */

const DUAL = [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]]

t.test('a route has its own next hop, mtu, advmss, priority and table', async t => {
  const lab = new Lab(t)
  const routes = [
    { dst: '10.9.0.0/16' },
    { dst: '10.8.0.0/16', gw: '10.1.0.9', mtu: 1300, advmss: 1200, priority: 50 },
    { dst: '10.7.0.0/16', table: 1000 },
    { dst: 'fd00:9::/48', mtu: 1400, priority: 70, table: 100 },
    { dst: '10.6.0.0/16', scope: 253 },
  ]
  const config = lab.config({}, { ranges: DUAL, routes })
  const pod = await lab.attach(config)
  const route = async (...args: string[]) => (await lab.ip(pod.netns, ...args))[0]
  t.match(await route('route', 'show', '10.9.0.0/16'), { gateway: '10.1.0.1', dev: 'eth0' })
  t.match(await route('route', 'show', '10.8.0.0/16'), {
    gateway: '10.1.0.9',
    metric: 50,
    metrics: [{ mtu: 1300, advmss: 1200 }],
  })
  t.match(await route('route', 'show', 'table', '1000'), { dst: '10.7.0.0/16', gateway: '10.1.0.1' })
  t.match(await route('-6', 'route', 'show', 'table', '100'), {
    dst: 'fd00:9::/48',
    gateway: 'fd00:1::1',
    metric: 70,
    metrics: [{ mtu: 1400 }],
  })
  const link = await route('route', 'show', '10.6.0.0/16')
  t.match(link, { scope: 'link' })
  t.equal(link.gateway, undefined)
  t.match(pod.result.routes, routes, 'the result says the same')
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0, stdout: /^$/ })
})

t.test('a config of 0.4.0 leaves out of its result what that version has no word for', async t => {
  const lab = new Lab(t)
  const config = lab.config({ cniVersion: '0.4.0' }, { routes: [{ dst: '10.9.0.0/16', mtu: 1300 }] })
  const pod = await lab.attach(config)
  t.same(pod.result.routes[0], { dst: '10.9.0.0/16' })
  t.equal(pod.result.interfaces[2].mtu, undefined)
  const [route] = await lab.ip(pod.netns, 'route', 'show', '10.9.0.0/16')
  t.match(route, { metrics: [{ mtu: 1300 }] }, 'and the container has it all the same')
})

t.test('two routes to one network stand beside each other', async t => {
  const lab = new Lab(t)
  const routes = [
    { dst: '10.9.0.0/16', gw: '10.1.0.1', priority: 10 },
    { dst: '10.9.0.0/16', gw: '10.1.0.9', priority: 20 },
  ]
  const pod = await lab.attach(lab.config({}, { routes }))
  t.match(await lab.ip(pod.netns, 'route', 'show', '10.9.0.0/16'), [
    { gateway: '10.1.0.1', metric: 10 },
    { gateway: '10.1.0.9', metric: 20 },
  ])
})

t.test('CHECK wants each of several IPv6 routes to one network, of which the kernel makes one', async t => {
  const lab = new Lab(t)
  const routes = ['fd00:1::1', 'fd00:1::9'].map(gw => ({ dst: 'fd00:9::/48', gw }))
  const config = lab.config({}, { ranges: DUAL, routes })
  const pod = await lab.attach(config)
  const checks = () => lab.call('CHECK', { ...config, prevResult: pod.result }, pod)
  t.match(await checks(), { code: 0, stdout: /^$/ })
  await lab.inside(pod.netns, 'ip', '-6', 'route', 'del', 'fd00:9::/48', 'via', 'fd00:1::9')
  t.match(await checks(), { code: 1, json: { code: 114, msg: /lost the route fd00:9::\/48 via fd00:1::9/ } })
})

const infoOf = async (lab: Lab, netns: string): Promise<Record<string, unknown>[]> => {
  const [eth0] = await lab.ip(netns, '-6', 'address', 'show', 'dev', 'eth0', 'scope', 'global')
  return eth0.addr_info
}

t.test('enabledad: ADD returns when the detection is over', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ enabledad: true }, { ranges: DUAL }))
  const [info] = await infoOf(lab, pod.netns)
  t.match(info, { local: pod.addresses[1] })
  t.equal(info?.['nodad'], undefined)
  t.equal(info?.['tentative'], undefined)
  t.ok(await lab.pings(pod.netns, 'fd00:1::1'))
})

t.test('enabledad: an address that somebody on the link has is refused', async t => {
  const lab = new Lab(t)
  const config = lab.config({ enabledad: true }, { ranges: DUAL })
  const squatter = await lab.attach(config)
  const taken = ['address', 'add', 'fd00:1::3/64', 'dev', 'eth0', 'nodad']
  await lab.inside(squatter.netns, 'ip', ...taken)
  const before = await lab.state()
  const answer = await lab.call('ADD', config, { id: 'c2', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 102, msg: /fd00:1::3.*another machine/ } })
  t.same(await lab.state(), before)
})

t.test('without enabledad there is no detection to wait for', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({}, { ranges: DUAL }))
  t.match(await infoOf(lab, pod.netns), [{ nodad: true }])
})
