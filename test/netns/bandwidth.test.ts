import t, { type Test } from 'tap'
import { type End, flow } from './flow.ts'
import { type Config, Lab, type Pod } from './lab.ts'
import { whyNoLimits } from './limits.ts'

/*
 * The capability `bandwidth`: what goes to and comes from a pod is as fast as was asked for, and nothing of it is left
 * when the pod is gone.
 */

const skip = whyNoLimits()
const MEGABIT = 1_000_000
const IPAM = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const NOTHING = { links: ['cbr0'], rules: [], reservations: [] }
/** 2 MB a second, 200 kB at once. */
const LIMIT = { rate: 16 * MEGABIT, burst: 1.6 * MEGABIT }
const BOTH = {
  ingressRate: LIMIT.rate,
  ingressBurst: LIMIT.burst,
  egressRate: 2 * LIMIT.rate,
  egressBurst: LIMIT.burst,
}

const asked = (bandwidth: unknown): Config => ({ runtimeConfig: { bandwidth } })
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const ifbOf = (pod: Pod): string => hostVeth(pod).replace('veth', 'bwp')

/** The rate at which an interface sends, in bits a second; undefined when nothing limits it. */
async function rateOf(lab: Lab, dev: string): Promise<number | undefined> {
  const [qdisc] = JSON.parse(await lab.inside(lab.host, 'tc', '-json', 'qdisc', 'show', 'dev', dev, 'root'))
  return qdisc.kind === 'tbf' ? qdisc.options.rate * 8 : undefined
}

const silent = { code: 0, stdout: /^$/, stderr: /^$/ }

async function deletes(t: Test, lab: Lab, config: Config, pod: Pod): Promise<void> {
  t.match(await lab.call('DEL', config, pod), silent, 'DEL')
  t.same(await lab.traces(), NOTHING, 'nothing is left')
}

t.test('both directions have the rate that the runtime asks for', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config(asked(BOTH), IPAM)
  const pod = await lab.attach(config)
  t.equal(await rateOf(lab, hostVeth(pod)), BOTH.ingressRate)
  t.equal(await rateOf(lab, ifbOf(pod)), BOTH.egressRate)
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), silent, 'CHECK')
  await deletes(t, lab, config, pod)
})

t.test('the result names the ifb device as it is', { skip }, async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ ...asked(BOTH), mtu: 1400 }, IPAM))
  const [ifb] = await lab.ip(lab.host, 'link', 'show', ifbOf(pod))
  t.same(pod.result.interfaces[3], { name: ifb.ifname, mac: ifb.address, mtu: ifb.mtu })
  t.match(ifb, {
    ifname: ifbOf(pod),
    mtu: 1400,
    ifalias: 'podwire lab c1 eth0',
    linkinfo: { info_kind: 'ifb' },
  })
  const addresses = await lab.ip(lab.host, 'address', 'show', ifbOf(pod))
  t.same(addresses[0].addr_info, [], 'it has no address')
})

/** Sends what takes half a second at the limit, once the burst has passed. */
async function isLimited(t: Test, lab: Lab, what: string, from: string, to: End): Promise<void> {
  const bytes = (LIMIT.burst + LIMIT.rate / 2) / 8
  const seconds = await flow(lab, from, to, bytes)
  t.ok(seconds > 0.45 && seconds < 1.5, `${what}: ${seconds} s`)
}

t.test('what goes to a pod and comes from it is as fast as the limit', { skip }, async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config(asked({ ...BOTH, egressRate: LIMIT.rate }), IPAM))
  const gateways = pod.result.ips.map((ip: { gateway: string }) => ip.gateway)
  for (const [i, address] of pod.addresses.entries()) {
    await isLimited(t, lab, `to ${address}`, lab.host, { netns: pod.netns, address })
    await isLimited(t, lab, `from ${address}`, pod.netns, { netns: lab.host, address: gateways[i] })
  }
})

t.test('a routed pod and its neighbour are as fast as the limit of either', { skip }, async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config({ mode: 'l3', ...asked(BOTH) }))
  const plain = await lab.attach(lab.config({ mode: 'l3' }))
  await isLimited(t, lab, 'to the pod', plain.netns, { netns: pod.netns, address: pod.addresses[0]! })
})

t.test(
  'a burst of 2^32-1 bits, as containerd sends it, lets 4.3 s of the rate pass at once',
  { skip },
  async t => {
    const lab = new Lab(t)
    const rate = 2 * MEGABIT
    const burst = 2 ** 32 - 1
    const bandwidth = { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst }
    const config = lab.config(asked(bandwidth))
    const pod = await lab.attach(config)
    const to = { netns: pod.netns, address: pod.addresses[0]! }
    const seconds = await flow(lab, lab.host, to, (rate * (4.3 + 1)) / 8)
    t.ok(seconds > 0.8 && seconds < 4, `one second's worth is limited: ${seconds} s`)
    await deletes(t, lab, config, pod)
  },
)

const EXTREMES = {
  'the largest of Go’s numbers': { ingressRate: 2 ** 64, ingressBurst: 2 ** 34 },
  'more than 2^32 bytes a second': { ingressRate: 80_000 * MEGABIT, ingressBurst: 8_000 * MEGABIT },
}

for (const [what, bandwidth] of Object.entries(EXTREMES)) {
  t.test(`a rate of ${what} is taken, and confirmed`, { skip }, async t => {
    const lab = new Lab(t)
    const config = lab.config(asked(bandwidth))
    const pod = await lab.attach(config)
    t.equal(await rateOf(lab, hostVeth(pod)), bandwidth.ingressRate)
    t.ok(await lab.pings(pod.netns, '10.1.0.1'))
    t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), silent)
  })
}

t.test('the smallest rate and burst let a packet pass', { skip }, async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config(asked({ ingressRate: 1, ingressBurst: 1 })))
  t.ok(await lab.pings(pod.netns, '10.1.0.1'))
})

const PLAIN = { ingressRate: MEGABIT, ingressBurst: MEGABIT, egressRate: MEGABIT, egressBurst: MEGABIT }
const CASES: Record<string, { keys: Config; ingress?: number; egress?: number }> = {
  'no key': { keys: {} },
  'an empty runtimeConfig': { keys: { runtimeConfig: {} } },
  null: { keys: asked(null) },
  'an empty object': { keys: asked({}) },
  zeros: { keys: asked({ ingressRate: 0, ingressBurst: 0, egressRate: 0, egressBurst: 0 }) },
  'the capability alone': { keys: { capabilities: { bandwidth: true } } },
  'ingress alone': { keys: asked({ ingressRate: MEGABIT, ingressBurst: MEGABIT }), ingress: MEGABIT },
  'egress alone': { keys: asked({ egressRate: MEGABIT, egressBurst: MEGABIT }), egress: MEGABIT },
  'keys of the config': { keys: PLAIN, ingress: MEGABIT, egress: MEGABIT },
  'keys of the config, and others of the runtime': {
    keys: { ...PLAIN, ...asked(BOTH) },
    ingress: MEGABIT,
    egress: MEGABIT,
  },
}

for (const [what, { keys, ingress, egress }] of Object.entries(CASES)) {
  t.test(`${what}: ${ingress ?? 'no'} limit in, ${egress ?? 'no'} limit out`, { skip }, async t => {
    const lab = new Lab(t)
    const config = lab.config(keys)
    const pod = await lab.attach(config)
    t.equal(await rateOf(lab, hostVeth(pod)), ingress)
    const { links } = await lab.traces()
    t.equal(links.includes(ifbOf(pod)), egress !== undefined)
    if (egress !== undefined) t.equal(await rateOf(lab, ifbOf(pod)), egress)
    t.ok(await lab.pings(pod.netns, '10.1.0.1'))
    await deletes(t, lab, config, pod)
  })
}

const DAMAGES: Record<string, { command: (pod: Pod) => string; msg: RegExp }> = {
  'the limit to the pod is gone': {
    command: pod => `tc qdisc del dev ${hostVeth(pod)} root`,
    msg: /rate of "veth\S+" is not limited/,
  },
  'the limit to the pod is another': {
    command: pod => `tc qdisc change dev ${hostVeth(pod)} root tbf rate 1mbit burst 10k latency 25ms`,
    msg: /rate of "veth\S+" is limited to 1000000 bit\/s, not 16000000/,
  },
  'another qdisc is in its place': {
    command: pod => `tc qdisc replace dev ${hostVeth(pod)} root pfifo`,
    msg: /rate of "veth\S+" is not limited/,
  },
  'the limit from the pod is gone': {
    command: pod => `tc qdisc del dev ${ifbOf(pod)} root`,
    msg: /rate of "bwp\S+" is not limited/,
  },
  'the limit from the pod is another': {
    command: pod => `tc qdisc change dev ${ifbOf(pod)} root tbf rate 1mbit burst 10k latency 25ms`,
    msg: /rate of "bwp\S+" is limited to 1000000 bit\/s, not 32000000/,
  },
  'the ifb device is gone': {
    command: pod => `ip link del ${ifbOf(pod)}`,
    msg: /ifb device "bwp\S+" is gone/,
  },
  'the ifb device is down': { command: pod => `ip link set ${ifbOf(pod)} down`, msg: /"bwp\S+" is down/ },
  'the redirection is gone': {
    command: pod => `tc filter del dev ${hostVeth(pod)} parent ffff:`,
    msg: /comes in through "veth\S+" is not redirected to "bwp/,
  },
  'the ingress qdisc is gone': {
    command: pod => `tc qdisc del dev ${hostVeth(pod)} ingress`,
    msg: /comes in through "veth\S+" is not redirected to "bwp/,
  },
}

for (const [what, { command, msg }] of Object.entries(DAMAGES)) {
  t.test(`CHECK says that ${what}`, { skip }, async t => {
    const lab = new Lab(t)
    const config = lab.config(asked(BOTH))
    const pod = await lab.attach(config)
    await lab.inside(lab.host, 'sh', '-c', command(pod))
    const checked = await lab.call('CHECK', { ...config, prevResult: pod.result }, pod)
    t.match(checked, { code: 1, json: { code: 114, msg } })
    await deletes(t, lab, config, pod)
  })
}

const LOSSES: Record<string, (lab: Lab, pod: Pod) => unknown> = {
  'the limits': () => {},
  'the namespace': (lab, pod) => lab.remove(pod.netns),
  'the veth': (lab, pod) => lab.inside(lab.host, 'ip', 'link', 'del', hostVeth(pod)),
  'the ifb device’s alias': (lab, pod) => lab.inside(lab.host, 'ip', 'link', 'set', ifbOf(pod), 'alias', ''),
}

for (const [what, lose] of Object.entries(LOSSES)) {
  t.test(`DEL and GC remove the ifb device without ${what}`, { skip }, async t => {
    const lab = new Lab(t)
    const plain = lab.config()
    const first = await lab.attach(lab.config(asked(BOTH)))
    await lose(lab, first)
    await deletes(t, lab, plain, { ...first, netns: '' })
    await lose(lab, await lab.attach(lab.config(asked(BOTH))))
    t.match(await lab.call('GC', { ...plain, 'cni.dev/valid-attachments': [] }), silent, 'GC')
    t.same(await lab.traces(), NOTHING, 'nothing is left')
  })
}

t.test('DEL and GC leave the ifb devices of valid attachments and of other networks', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config(asked(BOTH))
  const pod = await lab.attach(config)
  const other = lab.config({ name: 'other' })
  t.match(await lab.call('DEL', other, pod), silent, 'DEL in another network')
  t.match(
    await lab.call('GC', { ...other, 'cni.dev/valid-attachments': [] }),
    silent,
    'GC of another network',
  )
  const valid = [{ containerID: pod.id, ifname: 'eth0' }]
  t.match(await lab.call('GC', { ...config, 'cni.dev/valid-attachments': valid }), silent, 'GC')
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), silent, 'the pod is whole')
})

t.test('an ADD that fails leaves nothing', { skip }, async t => {
  const lab = new Lab(t)
  await lab.attach(lab.config())
  const before = await lab.state()
  const config = lab.config(asked(BOTH), { routes: [{ dst: '10.9.0.0/16', gw: '10.77.0.1' }] })
  const answer = await lab.call('ADD', config, { id: 'fails', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 7, msg: /10\.9\.0\.0\/16/ } })
  t.same(await lab.state(), before)
})

t.test('an ADD takes the place of an ifb device that a crash has left', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config(asked(BOTH))
  const model = await lab.attach(config)
  await lab.call('DEL', config, model)
  for (const alias of ['', 'podwire lab c1 eth0']) {
    await lab.inside(lab.host, 'ip', 'link', 'add', ifbOf(model), 'type', 'ifb')
    await lab.inside(lab.host, 'ip', 'link', 'set', ifbOf(model), 'alias', alias)
    const pod = await lab.attach(config, { id: 'c1' })
    t.equal(await rateOf(lab, ifbOf(pod)), BOTH.egressRate)
    await deletes(t, lab, config, pod)
  }
})

t.test('an ADD leaves somebody else’s interface alone', { skip }, async t => {
  const lab = new Lab(t)
  const config = lab.config(asked(BOTH))
  const model = await lab.attach(config)
  await lab.call('DEL', config, model)
  await lab.inside(lab.host, 'ip', 'link', 'add', ifbOf(model), 'type', 'ifb')
  await lab.inside(lab.host, 'ip', 'link', 'set', ifbOf(model), 'alias', 'mine')
  const before = await lab.state()
  const answer = await lab.call('ADD', config, { id: 'c1', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 105, msg: /make the ifb device "bwp/ } })
  t.same(await lab.state(), before)
})

const REFUSED: Record<string, { bandwidth: unknown; msg: RegExp }> = {
  'a rate without a burst': { bandwidth: { egressRate: 1 }, msg: /egressRate" without "\S+egressBurst"/ },
  'a burst without a rate': { bandwidth: { ingressBurst: 1 }, msg: /ingressBurst" without "\S+ingressRate"/ },
  'a burst of 4 GiB': {
    bandwidth: { ingressRate: 1, ingressBurst: 2 ** 35 },
    msg: /ingressBurst": 34359738368/,
  },
  text: { bandwidth: { ingressRate: '1M', ingressBurst: 1 }, msg: /runtimeConfig\.bandwidth\.ingressRate/ },
  'a list': { bandwidth: [], msg: /runtimeConfig\.bandwidth": expected an object/ },
}

for (const [what, { bandwidth, msg }] of Object.entries(REFUSED)) {
  t.test(`${what} is refused before anything is touched`, async t => {
    const lab = new Lab(t)
    const before = await lab.state()
    const answer = await lab.call('ADD', lab.config(asked(bandwidth)), { id: 'c1', netns: lab.namespace() })
    t.match(answer, { code: 1, json: { code: 7, msg } })
    t.same(await lab.state(), before)
  })
}

t.test('STATUS is silent where limits can be had', { skip }, async t => {
  const lab = new Lab(t)
  const before = await lab.state()
  t.match(await lab.call('STATUS', lab.config(PLAIN)), silent)
  t.same(await lab.state(), before)
})

t.test('a kernel without what it takes is told of', { skip: skip === false && 'it has it' }, async t => {
  const lab = new Lab(t)
  const before = await lab.state()
  const answer = await lab.call('ADD', lab.config(asked(BOTH)), { id: 'c1', netns: lab.namespace() })
  t.match(answer, { code: 1, json: { code: 113, msg: /this kernel lacks CONFIG_\S+ .*module/ } })
  t.same(await lab.state(), before)
  t.match(await lab.call('STATUS', lab.config(PLAIN)), { code: 1, json: { code: 50, msg: /CONFIG_/ } })
})
