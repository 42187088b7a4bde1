import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Config, Lab, type Pod } from './lab.ts'

/*
 * DEL needs nothing but the attachment's name: whatever else is lost, it removes what is left and succeeds.
 */

const KEYS = { ipMasq: true, macspoofchk: true }

/** What is lost before the DEL, and how the DEL is then called. */
interface Loss {
  readonly lose?: (lab: Lab, pod: Pod) => unknown
  readonly config?: Config
  /** CNI_NETNS, when it is not the pod's. */
  readonly netns?: string
  /** What stays in the folder of addresses, when somebody destroyed it. */
  readonly leaves?: RegExp
}

const LOSSES: Record<string, Loss> = {
  nothing: {},
  'the namespace': { lose: (lab, pod) => lab.remove(pod.netns) },
  CNI_NETNS: { netns: '' },
  'the namespace and CNI_NETNS': { lose: (lab, pod) => lab.remove(pod.netns), netns: '' },
  'the host veth': { lose: (lab, pod) => lab.inside(lab.host, 'ip', 'link', 'del', hostVeth(pod)) },
  'the interface in the container': {
    lose: (lab, pod) => lab.inside(pod.netns, 'ip', 'link', 'del', 'eth0'),
  },
  'the bridge': { lose: lab => lab.inside(lab.host, 'ip', 'link', 'del', 'cbr0') },
  'the rules': { lose: lab => lab.inside(lab.host, 'nft', 'delete', 'table', 'inet', 'podwire') },
  'the addresses': { lose: lab => rmSync(`${lab.folder}/ipam`, { recursive: true }) },
  'the addresses, in whose place there is a file': {
    lose: lab => {
      rmSync(`${lab.folder}/ipam`, { recursive: true })
      writeFileSync(`${lab.folder}/ipam`, '')
    },
    leaves: /\/ipam$/,
  },
  'the index of the addresses': { lose: lab => rmSync(`${lab.folder}/ipam/.podwire`, { recursive: true }) },
  'sound neighbours in the address store': { lose: damageStore, leaves: /\/lab\/10\.1\.0\.9$/ },
  'the keys that put rules into the table': { config: { ipMasq: false, macspoofchk: false } },
  'a readable prevResult': { config: { prevResult: { ips: 'none' } } },
  'a config that an ADD would take': { config: { mtu: 'large', bridge: '', vlan: 5000 } },
}

const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name

function damageStore({ folder }: Lab): void {
  writeFileSync(`${folder}/ipam/lab/10.1.0.9`, '\0\0 garbage\n\n\n')
  mkdirSync(`${folder}/ipam/lab/10.1.0.10`)
}

for (const [what, loss] of Object.entries(LOSSES)) {
  t.test(`DEL removes all that is left without ${what}`, async t => {
    const lab = new Lab(t)
    const pod = await lab.attach(lab.config(KEYS))
    await loss.lose?.(lab, pod)
    const config = lab.config({ ...KEYS, ...loss.config })
    await deletes(t, lab, config, { ...pod, netns: loss.netns ?? pod.netns })
    const { links, rules, reservations } = await lab.traces()
    t.same([links.filter(name => name !== 'cbr0'), rules], [[], []], 'no veth, no rule')
    const expected = loss.leaves === undefined ? [] : [loss.leaves]
    t.match(reservations, expected, 'no address')
    t.equal(reservations.length, expected.length)
  })
}

/** DEL, and again, for a runtime may repeat it any time. */
async function deletes(t: Test, lab: Lab, config: Config, pod: Pod): Promise<void> {
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, 'DEL')
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, 'DEL again')
}

t.test('DEL of what never was succeeds', async t => {
  const lab = new Lab(t)
  const before = await lab.state()
  t.match(await lab.call('DEL', lab.config(KEYS), { id: 'c1', netns: '' }), {
    code: 0,
    stdout: /^$/,
    stderr: /^$/,
  })
  t.same(await lab.state(), before)
})

t.test('DEL of another attachment harms nobody', async t => {
  const lab = new Lab(t)
  const pod = await lab.attach(lab.config(KEYS))
  const before = await lab.state()
  const strangers = {
    'another container in the same namespace': { ...pod, id: 'other' },
    'another interface of the container': { ...pod, ifname: 'eth1' },
    'a container whose name goes on': { ...pod, id: `${pod.id}0` },
  }
  for (const [who, stranger] of Object.entries(strangers)) {
    t.match(await lab.call('DEL', lab.config(KEYS), stranger), { code: 0, stdout: /^$/ }, who)
    t.same(await lab.state(), before, `${who}: the node is as before`)
    t.ok(await lab.pings(pod.netns, '10.1.0.1'), `${who}: the pod works`)
  }
})

t.test('DEL of a former owner leaves the address of the new one', async t => {
  const lab = new Lab(t)
  const config = lab.config(KEYS, { ranges: [[{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.2' }]] })
  const former = await lab.attach(config)
  // As after a crash: the former one lost its address, link and namespace, but not its rules.
  rmSync(`${lab.folder}/ipam`, { recursive: true })
  lab.remove(former.netns)
  const owner = await lab.attach(config)
  t.same(owner.addresses, former.addresses)
  t.match(await lab.call('DEL', config, { ...former, netns: '' }), { code: 0, stdout: /^$/ })
  t.match(await lab.call('CHECK', { ...config, prevResult: owner.result }, owner), { code: 0, stdout: /^$/ })
  t.match(await lab.call('DEL', config, owner), { code: 0, stdout: /^$/ })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})
