import t, { type Test } from 'tap'
import { type Answer, type Config, Lab, type Pod } from './lab.ts'
import { both, FAMILIES, heard, IPAM, type Mapping, Stage, TALKERS, withPorts } from './port-stage.ts'

/*
 * The capability `portMappings` from ADD to DEL: whose a port is, and that nothing of it outlives its pod.
 */

const NOTHING = { links: ['cbr0', 'up0'], rules: [], reservations: [] }
const silent = { code: 0, stdout: /^$/, stderr: /^$/ }
const seen = (name: string, address: string): string[] => [`${name} ${address}`, `${name} ${address}`]

/** DEL as containerd sends it: without the mappings. */
async function deletes(t: Test, lab: Lab, config: Config, ...pods: Pod[]): Promise<void> {
  for (const pod of pods)
    t.match(await lab.call('DEL', { ...config, runtimeConfig: { portMappings: null } }, pod), silent)
}

const checks = (lab: Lab, config: Config, pod: Pod): Promise<Answer> =>
  lab.call('CHECK', { ...config, prevResult: pod.result }, pod)

for (const mode of ['l2', 'l3']) {
  t.test(`${mode}: DEL takes the ports away, and the next ADD may have them`, async t => {
    const stage = await Stage.set(t)
    const { lab } = stage
    const config = withPorts(lab, both(8080), { mode })
    for (const name of ['c1', 'c2']) {
      const pod = await stage.pod(config)
      for (const { node, outside } of FAMILIES)
        t.same(await heard(stage.outside, node, 8080), seen(name, outside))
      t.match(await checks(lab, config, pod), silent)
      await deletes(t, lab, config, pod, pod)
      t.match(await stage.outside.askAt('tcp', '192.0.2.1', { port: 8080 }), /ECONNREFUSED/)
      t.same(await lab.traces(), NOTHING)
    }
  })
}

t.test('a pod may have many ports, and pods have theirs beside each other', async t => {
  const stage = await Stage.set(t)
  const { lab } = stage
  const mapping = (protocol: string): Mapping => ({ hostPort: 8080, containerPort: TALKERS, protocol })
  const tcp = withPorts(lab, [mapping('TCP'), ...both(8081)])
  const udp = withPorts(lab, [mapping('udp'), { ...mapping('sctp') }])
  const pods = [await stage.pod(tcp), await stage.pod(udp)]
  t.same(await heard(stage.outside, '192.0.2.1', 8080), ['c1 192.0.2.2', 'c2 192.0.2.2'])
  t.same(await heard(stage.outside, '192.0.2.1', 8081), seen('c1', '192.0.2.2'))
  await deletes(t, lab, tcp, pods[0]!)
  t.equal(
    await stage.outside.askAt('udp', '192.0.2.1', { port: 8080 }),
    'c2 192.0.2.2',
    'the other’s is left',
  )
  await deletes(t, lab, udp, pods[1]!)
  t.same(await lab.traces(), NOTHING)
})

t.test('a port that somebody has is refused, with whose it is, and nothing is left of the ADD', async t => {
  const lab = new Lab(t)
  const config = withPorts(lab, both(8080), { ipMasq: true, macspoofchk: true })
  const pod = await lab.attach(config)
  const before = await lab.state()
  const netns = lab.namespace()
  for (const mode of ['l2', 'l3']) {
    const mappings = [{ hostPort: 9090, containerPort: 1, protocol: 'tcp' }, ...both(8080)]
    const answer = await lab.call('ADD', withPorts(lab, mappings, { ipMasq: true, mode }), {
      id: 'late',
      netns,
    })
    const msg =
      /port tcp \. 8080 of the node: it leads to the container of veth\S+ \(podwire lab c1 eth0\); DEL/
    t.match(answer, { code: 1, json: { code: 115, msg } })
    t.same(await lab.state(), before)
  }
  t.match(await checks(lab, config, pod), silent)
})

t.test('an ADD that fails leaves no chain of a subnet’s', async t => {
  const lab = new Lab(t)
  await lab.attach(withPorts(lab, both(8080), { mode: 'l3' }))
  const before = await lab.traces()
  const answer = await lab.call('ADD', withPorts(lab, both(8080)), { id: 'late', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 115 } })
  t.same(await lab.traces(), before)
})

t.test('a port that only a dead container has is taken from it', async t => {
  const stage = await Stage.set(t)
  const { lab } = stage
  const config = withPorts(lab, both(8080))
  const dead = await lab.attach(config)
  lab.remove(dead.netns)
  await stage.pod(config)
  t.same(await heard(stage.outside, '192.0.2.1', 8080), seen('c2', '192.0.2.2'))
  await deletes(t, lab, config, { ...dead, netns: '' })
  t.same(await heard(stage.outside, '192.0.2.1', 8080), seen('c2', '192.0.2.2'), 'its late DEL takes nothing')
})

t.test('GC takes the ports of attachments that are not listed', async t => {
  const lab = new Lab(t)
  const config = withPorts(lab, both(8080))
  const [kept, stale] = [await lab.attach(config), await lab.attach(withPorts(lab, both(8081)))]
  const rulesOf = async (pod: Pod) =>
    (await lab.traces()).rules.filter(rule => rule.includes(pod.result.interfaces[1].name))
  const before = await rulesOf(kept)
  t.equal(before.length, 6)
  const valid = { 'cni.dev/valid-attachments': [{ containerID: kept.id, ifname: 'eth0' }] }
  t.match(await lab.call('GC', { ...lab.config({}, IPAM), ...valid }), silent)
  t.same(await rulesOf(stale), [])
  t.same(await rulesOf(kept), before)
  t.match(await checks(lab, config, kept), silent)
})

const DAMAGES: Readonly<Record<string, readonly [command: string, msg: RegExp]>> = {
  'a port is gone': [
    'delete element inet podwire hostports6 { udp . 8080 }',
    /port mapping of udp \. 8080 is gone/,
  ],
  'a port leads elsewhere': [
    'delete element inet podwire hostports4 { tcp . 8080 }; add element inet podwire hostports4 { tcp . 8080 : 10.1.0.9 . 80 }',
    /port mapping of tcp \. 8080 is gone/,
  ],
  'all chains are empty': ['flush table inet podwire', /chain "no-loopback" .* has lost rules/],
  'no port leads anywhere': ['flush chain inet podwire hostports', /chain "hostports" .* has lost rules/],
  'the node’s own calls are not led': ['flush chain inet podwire output', /chain "output" .* has lost rules/],
  'neighbours get no answer': [
    'flush chain inet podwire within-10.1.0.0/24',
    /chain "within-\S+" .* has lost/,
  ],
  'all rules are gone': ['delete table inet podwire', /port mapping of tcp \. 8080 is gone/],
}

for (const [what, [command, msg]] of Object.entries(DAMAGES)) {
  t.test(`CHECK says that ${what}`, async t => {
    const lab = new Lab(t)
    const config = withPorts(lab, both(8080))
    const pod = await lab.attach(config)
    t.match(await checks(lab, config, pod), silent)
    await lab.inside(lab.host, 'nft', command)
    t.match(await checks(lab, config, pod), { code: 1, json: { code: 114, msg } })
  })
}

t.test('the next ADD puts back rules that all ports need', async t => {
  const stage = await Stage.set(t)
  const { lab } = stage
  const config = withPorts(lab, both(8080))
  const pod = await stage.pod(config)
  await lab.inside(lab.host, 'nft', 'flush', 'table', 'inet', 'podwire')
  t.match(await stage.outside.askAt('tcp', '192.0.2.1', { port: 8080 }), /ECONNREFUSED/)
  await lab.attach(withPorts(lab, both(8081)))
  t.same(await heard(stage.outside, '192.0.2.1', 8080), seen('c1', '192.0.2.2'))
  t.match(await checks(lab, config, pod), silent)
})

/** Pods that follow one another at a port; between them the former gets its DEL, or dies without one. */
for (const [title, isDeleted] of [
  ['is deleted', true],
  ['dies', false],
] as const) {
  t.test(`a UDP flow goes on to the next pod when the former ${title}`, async t => {
    const stage = await Stage.set(t)
    const { lab } = stage
    const config = withPorts(lab, both(8080))
    for (const { node, outside } of FAMILIES) {
      const ask = () => stage.outside.askAt('udp', node, { port: 8080, from: outside, fromPort: 4000 })
      const former = await stage.pod(config)
      t.equal(await ask(), `${former.id} ${outside}`)
      if (isDeleted) {
        await deletes(t, lab, config, former)
        t.match(await ask(), /^failed/, 'nobody answers')
      } else {
        await lab.inside(lab.host, 'ip', 'link', 'del', former.result.interfaces[1].name)
      }
      const next = await stage.pod(config)
      t.equal(await ask(), `${next.id} ${outside}`, 'from the same port')
      await deletes(t, lab, config, next)
    }
  })
}

t.test('what cannot be meant is refused before anything is touched', async t => {
  const lab = new Lab(t)
  const before = await lab.state()
  const good = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }
  const refused: readonly (readonly [unknown, RegExp])[] = [
    ['8080', /runtimeConfig\.portMappings": expected a list/],
    [[8080], /portMappings\[0\]": expected an object/],
    [[{ ...good, hostPort: 65536 }], /portMappings\[0\]\.hostPort": expected a whole number from 0 to 65535/],
    [
      [good, { ...good, hostPort: 1, containerPort: 0 }],
      /\[1\]\.containerPort": expected a whole number from 1/,
    ],
    [[{ ...good, protocol: 'icmp' }], /protocol": "icmp"; it is "tcp", "udp" or "sctp"/],
    [[{ ...good, hostIP: 'localhost' }], /hostIP": "localhost"; it is an address/],
    [[good, { ...good, containerPort: 81 }], /tcp port 8080 of the node leads to port 80/],
  ]
  for (const [mappings, msg] of refused) {
    const answer = await lab.call('ADD', withPorts(lab, mappings), { id: 'c1', netns: lab.namespace() })
    t.match(answer, { code: 1, json: { code: 7, msg } })
    t.match(
      await lab.call('DEL', withPorts(lab, mappings), { id: 'c1', netns: '' }),
      silent,
      'DEL minds nothing',
    )
  }
  t.same(await lab.state(), before)
})
