import t from 'tap'
import type { Talker } from '../daemon/talker.ts'
import { Lab, type Pod } from './lab.ts'
import {
  both,
  BRIDGES,
  FAMILIES,
  heard,
  IPAM,
  Stage,
  switchFilter,
  TALKERS,
  withPorts,
} from './port-stage.ts'

/*
 * The capability `portMappings`: ports of the node lead to pods, wherever one asks from.
 */

const GATEWAYS = ['10.1.0.1', 'fd00:1::1']
const UNREACHED = /^failed: /
const silent = { code: 0, stdout: /^$/, stderr: /^$/ }
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name

/** What TCP and UDP are answered with when the pod of this name sees the asker by this address. */
const seen = (name: string, address: string): string[] => [`${name} ${address}`, `${name} ${address}`]

for (const mode of ['l2', 'l3']) {
  for (const [title, filter] of Object.entries(BRIDGES)) {
    t.test(`${mode} ${title}: a port of the node leads to its pod from everywhere`, async t => {
      const { lab, node, outside, ...stage } = await prepared(t, filter)
      const web = await stage.pod(withPorts(lab, both(8080), { mode }))
      const other = await stage.pod(lab.config({ mode }, IPAM))
      for (const [i, family] of FAMILIES.entries()) {
        const [gateway, address] = [GATEWAYS[i]!, other.addresses[i]!]
        t.same(await heard(outside, family.node, 8080), seen('c1', family.outside), 'from outside')
        t.same(await heard(node, family.node, 8080), seen('c1', family.node), 'from the node')
        t.same(await heard(node, gateway, 8080), seen('c1', gateway), 'from the node, at its other address')
        for (const at of [family.node, gateway]) {
          const asker = mode === 'l3' ? address : gateway
          t.same(await heard(other.talker, at, 8080), seen('c1', asker), `from another pod, at ${at}`)
          t.same(await heard(web.talker, at, 8080), seen('c1', gateway), `from the pod itself, at ${at}`)
        }
        t.same(await heard(outside, web.addresses[i]!, TALKERS), seen('c1', family.outside), 'and directly')
      }
      t.same(await heard(node, '127.0.0.1', 8080), seen('c1', '10.1.0.1'), 'from the node, at 127.0.0.1')
      t.match(await node.askAt('tcp', '::1', { port: 8080 }), /ECONNREFUSED/, 'at ::1 nobody listens')
      t.match(
        await lab.call('CHECK', { ...withPorts(lab, both(8080), { mode }), prevResult: web.result }, web),
        silent,
      )
    })
  }
}

/** A stage whose bridge shows its packets to the rules, or does not. */
async function prepared(t: Parameters<typeof Stage.set>[0], filter: string) {
  const stage = await Stage.set(t)
  if (!(await switchFilter(stage.lab, filter))) t.comment('this kernel has no br_netfilter')
  const { lab, node, outside } = stage
  return { lab, node, outside, pod: stage.pod.bind(stage) }
}

t.test('with ipMasq it is the same', async t => {
  const stage = await Stage.set(t)
  const web = await stage.pod(withPorts(stage.lab, both(8080), { mode: 'l3', ipMasq: true }))
  for (const [i, family] of FAMILIES.entries()) {
    t.same(await heard(stage.outside, family.node, 8080), seen('c1', family.outside), 'from outside')
    t.same(await heard(web.talker, family.node, 8080), seen('c1', GATEWAYS[i]!), 'from the pod itself')
    t.same(await heard(web.talker, family.outside, TALKERS), [family.node, family.node], 'to the outside')
  }
})

t.test('a port for one address of the node is no port of the others', async t => {
  const stage = await Stage.set(t)
  const { lab, outside } = stage
  const mappings = FAMILIES.flatMap(({ node }) => both(8080, { hostIP: node }))
  await stage.pod(withPorts(lab, mappings))
  for (const [i, family] of FAMILIES.entries()) {
    t.same(await heard(outside, family.node, 8080), seen('c1', family.outside))
    t.match(await outside.askAt('tcp', GATEWAYS[i]!, { port: 8080 }), UNREACHED)
  }
  const pod = await stage.pod(withPorts(lab, both(8080)))
  t.same(
    await heard(outside, FAMILIES[0]!.node, 8080),
    seen('c1', '192.0.2.2'),
    'who names the address has it',
  )
  t.same(await heard(outside, '10.1.0.1', 8080), seen('c2', '192.0.2.2'), 'others are left')
  await lab.call('DEL', withPorts(lab, both(8080)), pod)
  t.match(await outside.askAt('tcp', '10.1.0.1', { port: 8080 }), UNREACHED)
})

t.test('a port for an address of one family is none of the other', async t => {
  const stage = await Stage.set(t)
  await stage.pod(withPorts(stage.lab, both(8080, { hostIP: '192.0.2.1' })))
  t.same(await heard(stage.outside, '192.0.2.1', 8080), seen('c1', '192.0.2.2'))
  t.match(await heard(stage.outside, '2001:db8::1', 8080), [UNREACHED, UNREACHED])
})

t.test('any way to say "all addresses" means all of both families', async t => {
  const stage = await Stage.set(t)
  for (const [i, hostIP] of ['', '0.0.0.0', '::', null].entries()) {
    const port = 8080 + i
    const { id } = await stage.pod(withPorts(stage.lab, both(port, { hostIP })))
    for (const { node, outside } of FAMILIES)
      t.same(await heard(stage.outside, node, port), seen(id, outside), `hostIP ${hostIP}`)
  }
})

t.test('containerd’s spelling is understood, and what has no port of the node is passed over', async t => {
  const stage = await Stage.set(t)
  const mapping = { HostPort: 8080, ContainerPort: TALKERS, Protocol: 'tcp', HostIP: '' }
  const { lab } = stage
  await stage.pod(withPorts(lab, [mapping, { HostPort: 0, ContainerPort: 1 }, { containerPort: 2 }]))
  t.equal(await stage.outside.askAt('tcp', '192.0.2.1', { port: 8080 }), 'c1 192.0.2.2')
  t.equal((await elements(lab)).length, 4, 'two families, the port and the way back')
})

/** The elements that carry an owner, as nft lists them. */
async function elements(lab: Lab): Promise<string[]> {
  const listing = await lab.inside(lab.host, 'nft', 'list', 'table', 'inet', 'podwire')
  return listing.match(/[^\s{,][^{,\n]* comment "[^"]*"/g) ?? []
}

t.test('without mappings nothing is in the table', async t => {
  const lab = new Lab(t)
  for (const none of [null, [], [{ hostPort: 0, containerPort: 80, protocol: 'tcp' }]]) {
    const config = withPorts(lab, none)
    t.match(await lab.call('DEL', config, await lab.attach(config)), silent)
    t.equal(await lab.inside(lab.host, 'nft', 'list', 'tables'), '')
  }
})

t.test('packets from elsewhere do not come to the node’s own 127.0.0.1', async t => {
  const stage = await Stage.set(t)
  const { lab } = stage
  const pod = await stage.pod(withPorts(lab, both(8080)))
  const ask = (talker: Talker) => talker.askAt('tcp', '127.0.0.1', { from: pod.addresses[0]! })
  // A pod that wants to: it sends what is for 127.0.0.1 to its gateway.
  const script = [
    'sysctl -qw net.ipv4.conf.all.route_localnet=1',
    'ip address del 127.0.0.1/8 dev lo',
    'ip route flush table local 127.0.0.0/8',
    'ip route add 127.0.0.0/8 via 10.1.0.1',
  ]
  await lab.inside(pod.netns, 'sh', '-ec', script.join('; '))
  t.match(await ask(pod.talker), UNREACHED)
  await lab.inside(lab.host, 'nft', 'flush', 'chain', 'inet', 'podwire', 'no-loopback')
  t.equal(await ask(pod.talker), pod.addresses[0], 'without the rule it would')
})

t.test('1,000 mappings need as many rules as one', async t => {
  const lab = new Lab(t)
  const rules = async () =>
    (await lab.inside(lab.host, 'nft', 'list', 'table', 'inet', 'podwire'))
      .split('\n')
      .filter(line => /^\t\t[^#]/.test(line) && !/^\t\t(type|elements|\s)/.test(line))
  await lab.attach(withPorts(lab, both(8080)))
  const before = await rules()
  const many = Array.from({ length: 500 }, (_, i) => both(10000 + i)).flat()
  const config = withPorts(lab, many)
  const pod = await lab.attach(config)
  t.same(await rules(), before)
  t.equal((await elements(lab)).length, 2 * (1000 + 1) + 2 * (2 + 1))
  t.match(await lab.call('CHECK', { ...config, prevResult: pod.result }, pod), silent)
  t.match(await lab.call('DEL', withPorts(lab, null), pod), silent)
  t.equal((await elements(lab)).length, 2 * (2 + 1))
  t.ok((await elements(lab)).every(line => !line.includes(hostVeth(pod))))
})
