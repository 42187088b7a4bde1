import t from 'tap'
import { Lab, type Pod } from './lab.ts'

/*
 * GC removes what this network has and the runtime does not list: veths, rules, addresses. Others are left alone.
 */

const KEYS = { ipMasq: true, macspoofchk: true }
const IPAM = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const valid = (...pods: Pod[]) => ({
  'cni.dev/valid-attachments': pods.map(({ id, ifname = 'eth0' }) => ({ containerID: id, ifname })),
})

/** Two containers of the network, and one of another network on the same node. */
async function node(lab: Lab) {
  const config = lab.config(KEYS, IPAM)
  const other = lab.config(
    { ...KEYS, name: 'other', bridge: 'other0' },
    {
      ranges: [[{ subnet: '10.2.0.0/24' }]],
    },
  )
  const [pod, stale] = [await lab.attach(config), await lab.attach(config)]
  return { config, pod, stale, stranger: await lab.attach(other), other }
}

async function ownedBy(lab: Lab, pod: Pod): Promise<string[]> {
  const { links, rules, reservations } = await lab.traces()
  const files = reservations.filter(file => pod.addresses.some(ip => file.endsWith(`/${ip}`)))
  return [...links, ...rules].filter(name => name.includes(hostVeth(pod))).concat(files)
}

t.test('GC removes the attachments that are not listed', async t => {
  const lab = new Lab(t)
  const { config, pod, stale, stranger, other } = await node(lab)
  t.ok((await ownedBy(lab, stale)).length > 4)
  const kept = [await ownedBy(lab, pod), await ownedBy(lab, stranger)]
  t.match(await lab.call('GC', { ...config, ...valid(pod) }), { code: 0, stdout: /^$/, stderr: /^$/ })
  t.same(await ownedBy(lab, stale), [])
  t.same([await ownedBy(lab, pod), await ownedBy(lab, stranger)], kept)
  for (const [attached, network] of [
    [pod, config],
    [stranger, other],
  ] as const) {
    const checked = await lab.call('CHECK', { ...network, prevResult: attached.result }, attached)
    t.match(checked, { code: 0, stdout: /^$/ }, `${attached.id} is whole`)
  }
})

t.test('GC removes nothing when the runtime does not say what is valid', async t => {
  const lab = new Lab(t)
  const { config } = await node(lab)
  const before = await lab.state()
  t.match(await lab.call('GC', config), { code: 0, stdout: /^$/ })
  t.match(await lab.call('GC', { ...config, 'cni.dev/valid-attachments': null }), { code: 0, stdout: /^$/ })
  t.same(await lab.state(), before)
})

t.test('GC with an empty list removes all of the network', async t => {
  const lab = new Lab(t)
  const { config, stranger } = await node(lab)
  const kept = await ownedBy(lab, stranger)
  t.match(await lab.call('GC', { ...config, ...valid() }), { code: 0, stdout: /^$/ })
  const { links, rules, reservations } = await lab.traces()
  t.same(links, ['cbr0', 'other0', hostVeth(stranger)])
  const own = rules.filter(rule => !rule.startsWith('chain leaving-'))
  t.same([...links.slice(2), ...own, ...reservations], kept, 'only the stranger’s is left')
})

t.test('GC takes the key’s older name', async t => {
  const lab = new Lab(t)
  const config = lab.config(KEYS)
  await lab.attach(config)
  t.match(await lab.call('GC', { ...config, 'cni.dev/attachments': [] }), { code: 0, stdout: /^$/ })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('GC tells interfaces of one container apart', async t => {
  const lab = new Lab(t)
  const config = lab.config(KEYS)
  const eth0 = await lab.attach(config)
  const net1 = await lab.attach({ ...config, isDefaultGateway: false }, { ...eth0, ifname: 'net1' })
  t.match(await lab.call('GC', { ...config, ...valid(net1) }), { code: 0, stdout: /^$/ })
  t.same(await ownedBy(lab, eth0), [])
  t.ok((await ownedBy(lab, net1)).length > 2)
})

t.test('GC finds what is left of containers whose namespaces are gone', async t => {
  const lab = new Lab(t)
  const config = lab.config(KEYS)
  const pod = await lab.attach(config)
  lab.remove(pod.netns)
  t.match(await lab.call('GC', { ...config, ...valid() }), { code: 0, stdout: /^$/ })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})

t.test('GC finds a veth whose ADD died before it was labelled', async t => {
  const lab = new Lab(t)
  const config = lab.config()
  const pod = await lab.attach(config)
  await lab.inside(lab.host, 'ip', 'link', 'set', hostVeth(pod), 'alias', '')
  await lab.inside(lab.host, 'ip', 'link', 'add', 'veth00000000000', 'type', 'veth', 'peer', 'mine0')
  t.match(await lab.call('GC', { ...config, ...valid(pod) }), { code: 0, stdout: /^$/ })
  t.ok((await lab.traces()).links.includes(hostVeth(pod)), 'a valid one stays')
  t.match(await lab.call('GC', { ...config, ...valid() }), { code: 0, stdout: /^$/ })
  t.same((await lab.traces()).links, ['cbr0', 'mine0', 'veth00000000000'], 'so does one of somebody else')
})

t.test('GC of a network that has nothing succeeds', async t => {
  const lab = new Lab(t)
  t.match(await lab.call('GC', { ...lab.config(KEYS), ...valid() }), { code: 0, stdout: /^$/, stderr: /^$/ })
  t.same(await lab.traces(), { links: [], rules: [], reservations: [] })
})

t.test('GC refuses a list that it cannot read, and removes nothing', async t => {
  const lab = new Lab(t)
  const config = lab.config(KEYS)
  await lab.attach(config)
  const before = await lab.state()
  for (const list of ['c1', [{ containerID: 'c1' }], [{ containerID: '../c1', ifname: 'eth0' }], [null]]) {
    const answer = await lab.call('GC', { ...config, 'cni.dev/valid-attachments': list })
    t.match(answer, { code: 1, json: { code: Number, msg: String } }, JSON.stringify(list))
    t.same(await lab.state(), before)
  }
})
