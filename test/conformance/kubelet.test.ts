import t, { type Test } from 'tap'
import { lacksContainerd, startContainerd } from './containerd.ts'
import { Cri } from './cri.ts'
import { IMAGE, PAGE } from './image.ts'
import { NOTHING_LEFT } from './machine.ts'
import { until } from './until.ts'

/*
 * The way of a Kubernetes pod: what the kubelet asks of containerd by the Container Runtime Interface, and containerd
 * of us. The image serves a page by itself, so a pod without containers is all that is needed.
 */

const DUAL_STACK = [[{ subnet: '10.7.0.0/24' }], [{ subnet: 'fd00:7::/64' }]]

const skip = lacksContainerd()

for (const version of ['0.3.1', '1.0.0']) {
  t.test(`containerd wires the kubelet's pods by a ${version} conflist`, { skip }, async t => {
    const { machine, cri, run, inside } = await setUp(t, version)
    t.ok(await cri.isNetworkReady(), 'the node is ready')
    const [first, second] = [await run('first'), await run('second')]
    t.same(await cri.podIps(first), ['10.7.0.2', 'fd00:7::2'])
    t.same(await cri.podIps(second), ['10.7.0.3', 'fd00:7::3'])
    for (const host of ['10.7.0.2', '[fd00:7::2]']) {
      const page = () => inside(second, 'wget', '-qO-', `http://${host}/`)
      t.equal(await until(host, page), PAGE, `${host} answers the other pod`)
    }
    for (const id of [first, second]) {
      await cri.stopPodSandbox(id)
      await cri.stopPodSandbox(id)
      await cri.removePodSandbox(id)
    }
    t.same(await machine.traces(), NOTHING_LEFT)
  })
}

t.test('many pods start and stop side by side', { skip }, async t => {
  const { machine, cri, run } = await setUp(t)
  const ids = await Promise.all(Array.from({ length: 10 }, (_, i) => run(`pod${i}`)))
  const ips = await Promise.all(ids.map(id => cri.podIps(id)))
  t.equal(new Set(ips.flat()).size, 20, ips.join(' '))
  await Promise.all(ids.map(id => cri.stopPodSandbox(id)))
  t.same(await machine.traces(), NOTHING_LEFT)
})

t.test('a pod has a port of the node by portmap behind us', { skip }, async t => {
  const { machine, cri, run } = await setUp(t)
  await machine.run('ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
  const id = await run('web', { ports: [{ container: 80, host: 8080 }] })
  const page = () => machine.run('busybox', 'wget', '-qO-', 'http://192.0.2.1:8080/')
  t.equal(await until('the page', page), PAGE)
  await cri.stopPodSandbox(id)
  t.same(await machine.traces(), NOTHING_LEFT)
})

t.test('a pod whose namespace is gone, as after a reboot, is taken down all the same', { skip }, async t => {
  const { machine, cri, run } = await setUp(t)
  const id = await run('lost')
  const [netns = ''] = (await machine.run('ls', '/run/netns')).split('\n')
  await machine.run('ip', 'netns', 'delete', netns)
  await cri.stopPodSandbox(id)
  await cri.removePodSandbox(id)
  t.same(await machine.traces(), NOTHING_LEFT)
})

t.test('a pod that finds no address fails by name, and works when there is one', { skip }, async t => {
  const { machine, cri, run } = await setUp(t, '1.0.0', [[{ subnet: '10.7.0.0/30' }]])
  const first = await run('first')
  await t.rejects(run('second'), /podwire.*10\.7\.0\.2/, 'the message names the range')
  t.same((await machine.traces()).reserved, ['10.7.0.2'])
  await cri.stopPodSandbox(first)
  t.same(await cri.podIps(await run('second')), ['10.7.0.2'])
})

async function setUp(t: Test, version = '1.0.0', ranges: unknown = DUAL_STACK) {
  const { machine, socket, inside } = await startContainerd(t, conflist(version, ranges), 'k8s.io')
  const cri = new Cri(t, socket)
  await until('the image', () => cri.hasImage(IMAGE))
  const run = (name: string, more = {}) => cri.runPodSandbox({ name, cgroupParent: machine.cgroup, ...more })
  return { machine, cri, run, inside }
}

function conflist(cniVersion: string, ranges: unknown): unknown {
  return {
    cniVersion,
    name: 'pods',
    plugins: [
      { type: 'podwire', isDefaultGateway: true, ipMasq: true, ipam: { type: 'podwire-ipam', ranges } },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
}
