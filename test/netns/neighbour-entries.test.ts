import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Config, Lab, type Pod } from './lab.ts'

/*
 * In mode l3 the node knows its containers' addresses for good. What the kernel keeps for ever somebody has to remove:
 * before the address is another's, and nothing that is another's.
 */

const L3 = { mode: 'l3' }
const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const HOST_LOCAL = '/usr/lib/cni/host-local'

/** The addresses that the node knows for good, each with its MAC. */
async function known(lab: Lab): Promise<string[]> {
  const entries: { dst: string; lladdr: string }[] = await lab.ip(
    lab.host,
    'neighbour',
    'show',
    'nud',
    'permanent',
  )
  return entries.map(({ dst, lladdr }) => `${dst} ${lladdr}`).toSorted()
}

const entriesOf = (...pods: readonly Pod[]): string[] =>
  pods.flatMap(({ addresses, result }) => addresses.map(ip => `${ip} ${result.interfaces[2].mac}`)).toSorted()

const deletes = async (t: Test, lab: Lab, config: Config, pod: Pod): Promise<void> =>
  void t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, `DEL of ${pod.id}`)

t.test('ADD has the node know a container’s addresses, and DEL forget them', async t => {
  const lab = new Lab(t)
  const config = lab.config(L3, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  t.same(await known(lab), entriesOf(pod, other))
  await deletes(t, lab, config, pod)
  t.same(await known(lab), entriesOf(other))
  await deletes(t, lab, config, pod)
  t.same(await known(lab), entriesOf(other))
})

t.test('DEL makes the node forget whatever else is lost, or asked for by then', async t => {
  const lab = new Lab(t)
  const config = lab.config(L3, DUAL)
  const asking = { ...config, runtimeConfig: { mac: '02:00:00:00:00:09' } }
  const [pod, other] = [await lab.attach(asking), await lab.attach(config)]
  lab.remove(pod.netns)
  await deletes(t, lab, { ...config, mtu: 'large' }, { ...pod, netns: '' })
  t.same(await known(lab), entriesOf(other))
  await lab.inside(lab.host, 'ip', 'link', 'del', 'cbr0')
  await deletes(t, lab, config, other)
})

t.test('DEL with a config that names no bridge there could be succeeds', async t => {
  const lab = new Lab(t)
  const config = lab.config(L3, DUAL)
  for (const wrong of [{ bridge: 'sixteen-letters-' }, { vlan: 5000 }, { mode: 'l4' }])
    await deletes(t, lab, { ...config, ...wrong }, await lab.attach(config))
  t.same((await lab.traces()).reservations, [])
})

t.test('DEL makes the node forget when the config has another mode by then', async t => {
  const lab = new Lab(t)
  const config = lab.config(L3, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  await deletes(t, lab, { ...config, mode: 'l2' }, pod)
  t.same(await known(lab), entriesOf(other))
})

t.test('a failed ADD leaves the node nothing to know', async t => {
  const lab = new Lab(t)
  // On a bridge that stays: one of its own would take along what is known there.
  const pod = await lab.attach(lab.config(L3, DUAL))
  // A set by the name of the plugin's map: the rules, which come last, do not fit into it.
  const table = 'add table inet podwire; add set inet podwire masquerade4 { type ipv4_addr; }'
  await lab.inside(lab.host, 'nft', table)
  const failing = lab.config({ ...L3, ipMasq: true }, DUAL)
  const answer = await lab.call('ADD', failing, { id: 'failing', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 110, msg: /inet podwire/ } })
  t.same(await known(lab), entriesOf(pod))
})

t.test(
  'DEL makes the node forget addresses that another plugin gave, and no next owner’s',
  { skip: !existsSync(HOST_LOCAL) && `no ${HOST_LOCAL}: sudo apt-get install containernetworking-plugins` },
  async t => {
    const lab = new Lab(t)
    const one = [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.7', rangeEnd: '10.1.0.7' }]]
    const config = lab.config({ ...L3, cniVersion: '1.0.0' }, { type: 'host-local', ranges: one })
    const pod = await lab.attach(config)
    t.same(await known(lab), entriesOf(pod))
    const deleting = { ...config, prevResult: pod.result }
    await deletes(t, lab, deleting, pod)
    t.same(await known(lab), [])
    const next = await lab.attach(config)
    t.same(next.addresses, pod.addresses)
    await deletes(t, lab, deleting, pod)
    t.same(await known(lab), entriesOf(next), 'a repeated DEL')
    await deletes(t, lab, config, next)
    t.same(await known(lab), [], 'a DEL without prevResult')
  },
)

t.test('GC makes the node forget the addresses of who is gone', async t => {
  const lab = new Lab(t)
  const config = lab.config(L3, DUAL)
  const [pod, stale, dead] = [await lab.attach(config), await lab.attach(config), await lab.attach(config)]
  lab.remove(dead.netns)
  t.same(await known(lab), entriesOf(pod, stale, dead))
  const valid = [{ containerID: pod.id, ifname: 'eth0' }]
  t.match(await lab.call('GC', { ...config, 'cni.dev/valid-attachments': valid }), { code: 0, stdout: /^$/ })
  t.same(await known(lab), entriesOf(pod))
})

t.test('a bridge that gets another address keeps whom the node knew', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config(L3, DUAL))
  const ranges = [[{ subnet: '10.2.0.0/24' }], [{ subnet: 'fd00:2::/64' }]]
  const keys = { ...L3, forceAddress: true }
  const other = await lab.attach(lab.config({ ...keys, name: 'other' }, { ranges }), { id: 'other' })
  t.same(await known(lab), entriesOf(pod, other))
  const routes = [{ dst: '192.0.2.0/24', gw: '10.9.9.9' }]
  const third = lab.config({ ...keys, name: 'third' }, { ranges: [[{ subnet: '10.3.0.0/24' }]], routes })
  t.match(await lab.call('ADD', third, { id: 'third', netns: lab.namespace() }), { code: 1 })
  t.same(await known(lab), entriesOf(pod, other), 'after a failed ADD')
})

t.test('the node knows containers of a VLAN on its own leg in it', async t => {
  const lab = new Lab(t)
  const probe = ['ip', 'link', 'add', 'probe0', 'type', 'bridge', 'vlan_filtering', '1'] as const
  const isMade = lab.inside(lab.host, ...probe).then(
    () => true,
    () => false,
  )
  if (!(await isMade)) {
    t.pass('the kernel filters no VLANs')
    return
  }
  for (const preserveDefaultVlan of [true, false]) {
    const config = lab.config({ ...L3, vlan: 5, preserveDefaultVlan }, DUAL)
    const pod = await lab.attach(config)
    for (const gateway of ['10.1.0.1', 'fd00:1::1']) t.ok(await lab.pings(pod.netns, gateway), gateway)
    const entries = await lab.ip(lab.host, 'neighbour', 'show', 'dev', 'cbr0.5', 'nud', 'permanent')
    t.equal(entries.length, 2)
    await deletes(t, lab, config, pod)
    t.same(await known(lab), [])
  }
})
