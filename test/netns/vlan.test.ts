import t from 'tap'
import { type Config, Lab } from './lab.ts'

/*
 * vlan, vlanTrunk, preserveDefaultVlan: they work where the kernel filters VLANs on bridges, and elsewhere the error
 * names what is missing.
 */

const CASES: { keys: Config; ids: number[] }[] = [
  { keys: { vlan: 100 }, ids: [1, 100] },
  { keys: { vlan: 100, preserveDefaultVlan: false }, ids: [100] },
  { keys: { vlanTrunk: [{ id: 30 }, { minID: 40, maxID: 42 }] }, ids: [1, 30, 40, 41, 42] },
]

const filters = await canFilter()

async function canFilter(): Promise<boolean> {
  const lab = new Lab(t)
  const command = ['ip', 'link', 'add', 'probe0', 'type', 'bridge', 'vlan_filtering', '1']
  return lab.inside(lab.host, ...command).then(
    () => true,
    () => false,
  )
}

for (const { keys, ids } of CASES) {
  const text = JSON.stringify(keys)
  t.test(`${text} makes the port a member`, { skip: !filters && 'the kernel filters no VLANs' }, async t => {
    const lab = new Lab(t)
    const config = lab.config(keys)
    const pod = await lab.attach(config)
    const veth = pod.result.interfaces[1].name
    const [port] = JSON.parse(await lab.inside(lab.host, 'bridge', '-json', 'vlan', 'show', 'dev', veth))
    const members = port.vlans.flatMap(({ vlan, vlanEnd = vlan }: { vlan: number; vlanEnd?: number }) =>
      Array.from({ length: vlanEnd - vlan + 1 }, (_, i) => vlan + i),
    )
    t.same(members, ids)
    t.ok(await lab.pings(pod.netns, '10.1.0.1'))
    t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), { code: 0, stdout: /^$/ })
    t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ })
  })

  t.test(`${text} is refused without VLAN filtering`, { skip: filters && 'the kernel has it' }, async t => {
    const lab = new Lab(t)
    const before = await lab.state()
    const pod = { id: 'c1', netns: lab.namespace() }
    const answer = await lab.call('ADD', lab.config(keys), pod)
    t.match(answer, { code: 1, json: { code: 113, msg: /CONFIG_BRIDGE_VLAN_FILTERING/ } })
    t.same(await lab.state(), before)
    t.match(await lab.call('DEL', lab.config(keys), pod), { code: 0, stdout: /^$/ })
  })
}

t.test('a bridge that does not filter VLANs is refused, and left as it is', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config())
  const before = await lab.state()
  const answer = await lab.call('ADD', lab.config({ vlan: 100 }), { id: 'other', netns: lab.namespace() })
  t.match(answer, {
    code: 1,
    json: { code: 106, msg: /VLAN filtering is off.*CONFIG_BRIDGE_VLAN_FILTERING/ },
  })
  t.same(await lab.state(), before)
  t.ok(await lab.pings(pod.netns, '10.1.0.1'))
})
