import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import t, { type Test } from 'tap'
import { dumpConnections, parseConnection } from '../../cni/core/netlink/conntrack.ts'
import { Netlink, PROTOCOL } from '../../cni/edge/netlink.ts'
import { Netns } from '../../cni/edge/netns.ts'
import { forgetPod, rememberedPods, rememberPod } from '../../cni/edge/policies.ts'
import type { NetnsPath } from '../../cni/spec/environment.ts'
import { compile } from '../../daemon/core/policy/compile.ts'
import type { Objects } from '../../daemon/core/policy/objects.ts'
import { loadScript } from '../../daemon/core/policy/script.ts'
import { attachmentPair } from '../../cni/core/names.ts'
import { parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import { FAMILIES, formatIp } from '../../ipam/core/ip.ts'
import { lockedAttachment, namespace, pod as podObject, policy, ports } from '../support/policy-objects.ts'
import { cidr, ip } from '../support/result.ts'
import { type Config, Lab, type Pod } from './lab.ts'

/*
 * NetworkPolicies without the daemon that knows them: a pod of a namespace that has any is closed until it is back, and
 * no pod has what the former owner of its address was allowed.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const FIRST = ['10.1.0.2', 'fd00:1::2']
const NONE: Objects = { pods: [], namespaces: [], policies: [], podCidrs: [], attached: [] }

/** What containerd says of a pod `NAMESPACE/NAME`. */
function argsOf(key: string): { readonly CNI_ARGS: string } {
  const [space, name] = key.split('/')
  return {
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${space};K8S_POD_NAME=${name};K8S_POD_UID=uid-${name}`,
  }
}

/** A node as podwired leaves it: with these policies' rules, and files for the namespaces that have some. */
async function node(t: Test, objects: Objects = NONE, namespaces = ['shop']): Promise<[Lab, Config]> {
  const lab = new Lab(t)
  t.teardown(() => rmSync(`${lab.run}/policy`, { recursive: true, force: true }))
  mkdirSync(`${lab.run}/policy/namespaces`, { recursive: true })
  for (const name of namespaces) writeFileSync(`${lab.run}/policy/namespaces/${name}`, '')
  const rules = compile(objects, { node: 'n1', unknownPods: 'closed', log: false })
  writeFileSync(`${lab.folder}/rules.nft`, loadScript(rules, { chains: [], maps: [], sets: [] }))
  await lab.inside(lab.host, 'nft', '-f', `${lab.folder}/rules.nft`)
  return [lab, lab.config({ mode: 'l3', portIsolation: true }, DUAL)]
}

const attach = (lab: Lab, config: Config, key: string): Promise<Pod> =>
  lab.attach(config, { env: argsOf(key) })

/** The files of the pods that are wired. */
function remembered({ run }: Lab): string[] {
  const folder = `${run}/policy/pods`
  return existsSync(folder) ? readdirSync(folder).toSorted() : []
}

/** What the table says of these addresses, line by line. */
async function elementsOf(lab: Lab, addresses: readonly string[]): Promise<string[]> {
  const listing = await lab.inside(lab.host, 'nft', 'list', 'table', 'inet', 'podwire')
  return listing
    .split(/[\n,]|elements = \{/)
    .filter(line => addresses.some(text => line.split(/\s+/).includes(text)))
}

t.test(
  'a pod of a namespace with policies reaches only itself and its node, and only these reach it',
  async t => {
    const [lab, config] = await node(t)
    const [closed, open] = [await attach(lab, config, 'shop/db'), await attach(lab, config, 'free/web')]
    for (const i of [0, 1]) {
      t.notOk(await lab.pings(open.netns, closed.addresses[i]!), `another pod, to ${closed.addresses[i]}`)
      t.notOk(await lab.pings(closed.netns, open.addresses[i]!), `to another pod, ${open.addresses[i]}`)
      t.ok(await lab.pings(lab.host, closed.addresses[i]!), `the node, to ${closed.addresses[i]}`)
      t.ok(await lab.pings(closed.netns, closed.result.ips[i].gateway), 'to the node')
      t.ok(await lab.pings(closed.netns, closed.addresses[i]!), 'to itself')
    }
    const listing = await lab.inside(
      lab.host,
      'nft',
      'list',
      'set',
      'inet',
      'podwire',
      'policy-dropped-ingress4',
    )
    t.match(listing, `${closed.addresses[0]} counter packets 1 `, 'what is dropped is counted')
  },
)

t.test('pods of other namespaces are open, and so are all where nobody enforces policies', async t => {
  const [lab, config] = await node(t)
  const [pod, other] = [await attach(lab, config, 'free/one'), await attach(lab, config, 'free/two')]
  for (const address of other.addresses) t.ok(await lab.pings(pod.netns, address), address)
  t.same(await elementsOf(lab, [...pod.addresses, ...other.addresses]), [])
  rmSync(`${lab.run}/policy`, { recursive: true })
  const [late, later] = [await attach(lab, config, 'shop/db'), await attach(lab, config, 'shop/My_Pod')]
  for (const address of late.addresses) t.ok(await lab.pings(later.netns, address), address)
  t.notOk(existsSync(`${lab.run}/policy`), 'nothing is remembered')
})

/** Pods that had the first addresses, in every kind of set. */
const FORMER: Objects = {
  ...NONE,
  pods: [
    podObject('shop/old', FIRST, { app: 'old' }, { spec: { ...ports('http:80/TCP'), nodeName: 'n1' } }),
    podObject('shop/db', ['10.1.0.99', 'fd00:1::99'], { app: 'db' }),
  ],
  namespaces: [namespace('shop')],
  policies: [
    policy('shop/p', {
      podSelector: {},
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'old' } } }] }],
      egress: [{ to: [{ podSelector: {} }], ports: [{ port: 'http' }] }],
      policyTypes: ['Ingress', 'Egress'],
    }),
  ],
  podCidrs: [cidr('10.1.0.0/24'), cidr('fd00:1::/64')],
}

t.test('no pod has what the former owner of its addresses was allowed', async t => {
  for (const [key, expected] of [
    ['free/web', []],
    ['shop/new', [/shop\/new" : goto policy-drop-/]],
  ] as const) {
    const [lab, config] = await node(t, FORMER)
    const before = await elementsOf(lab, FIRST)
    t.ok(before.length >= 2 * 6, `${before.length} elements`)
    t.same((await attach(lab, config, key)).addresses, FIRST)
    const after = await elementsOf(lab, FIRST)
    t.equal(after.length, expected.length === 0 ? 0 : 10, after.join('\n'))
    t.equal(after.filter(line => line.includes('goto')).length, 4 * expected.length)
    for (const line of after.filter(each => each.includes('goto'))) t.match(line, expected[0])
    t.ok((await elementsOf(lab, ['10.1.0.99'])).length > 0, 'others keep theirs')
  }
})

/** How many connections the node knows from or to these addresses. */
function connectionsOf({ host, path }: Lab, addresses: readonly string[]): number {
  using netns = Netns.open(path(host) as NetnsPath, true)
  using netlink = netns.run(() => new Netlink(PROTOCOL.netfilter))
  return FAMILIES.flatMap(family => netlink.dump(dumpConnections(family)))
    .flatMap(({ body }) => parseConnection(body) ?? [])
    .filter(({ original, reply }) =>
      [original.source, reply.source].some(end => addresses.includes(formatIp(end))),
    ).length
}

t.test('connections of a former owner are forgotten', async t => {
  const [lab, config] = await node(t)
  const [pod, other] = [await attach(lab, config, 'free/old'), await attach(lab, config, 'free/other')]
  await lab.pings(other.netns, pod.addresses[0]!)
  await lab.pings(pod.netns, other.addresses[1]!)
  t.ok(connectionsOf(lab, pod.addresses) >= 2)
  await lab.call('DEL', config, pod)
  const ips = { ...config, runtimeConfig: { ips: pod.addresses } }
  t.same((await lab.attach(ips, { env: argsOf('free/new') })).addresses, pod.addresses)
  t.equal(connectionsOf(lab, pod.addresses), 0)
})

t.test('a pod is remembered from its ADD to its DEL', async t => {
  const [lab, config] = await node(t)
  const pod = await attach(lab, config, 'shop/db')
  t.same(remembered(lab), ['lab@c1@eth0'])
  const path = `${lab.run}/policy/pods/lab@c1@eth0`
  t.same(JSON.parse(readFileSync(path, 'utf8')), {
    namespace: 'shop',
    name: 'db',
    uid: 'uid-db',
    addresses: FIRST,
    mac: pod.result.interfaces[2].mac,
  })
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.match(
    await lab.call('DEL', lab.config({ name: 'other' }, DUAL), pod),
    { code: 0 },
    'DEL for another network',
  )
  t.same([remembered(lab).length, (await elementsOf(lab, FIRST)).length], [1, 10])
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ })
  t.same([remembered(lab), await elementsOf(lab, FIRST)], [[], []])
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ }, 'DEL again')
})

t.test('a container that comes again is not asked for the addresses that it had', async t => {
  const container = parseContainerId('again', 'id')
  const { peerMac: mac } = attachmentPair({ containerId: container, ifname: parseIfName('eth0', 'ifname') })
  const former = lockedAttachment(mac, 'lab/again/eth0', 'free/web', ['10.1.0.77', 'fd00:1::77'])
  for (const namespace of ['free', 'shop']) {
    const [lab, config] = await node(t, { ...NONE, attached: [former] })
    const known = () => lab.inside(lab.host, 'nft', 'list', 'set', 'inet', 'podwire', 'policy-macs')
    t.match(await known(), mac)
    const pod = await lab.attach(config, { id: container, env: argsOf(`${namespace}/web`) })
    t.equal(pod.result.interfaces[2].mac, mac)
    t.notMatch(await known(), mac)
  }
})

t.test('a late DEL takes nothing from the pod that has the address by now', async t => {
  const [lab, config] = await node(t)
  const pod = await attach(lab, config, 'shop/db')
  const path = `${lab.run}/policy/pods/`
  writeFileSync(`${path}lab@former@eth0`, readFileSync(`${path}lab@c1@eth0`))
  t.match(await lab.call('DEL', config, { id: 'former', netns: '' }), { code: 0 })
  t.same([remembered(lab), (await elementsOf(lab, pod.addresses)).length], [['lab@c1@eth0'], 10])
})

t.test('GC lets go of pods that are not valid, in this network', async t => {
  const [lab, config] = await node(t)
  const [pod] = [await attach(lab, config, 'shop/a'), await attach(lab, config, 'shop/b')]
  writeFileSync(`${lab.run}/policy/pods/other@c9@eth0`, '{}')
  const valid = [{ containerID: pod.id, ifname: 'eth0' }]
  t.match(await lab.call('GC', { ...config, 'cni.dev/valid-attachments': valid }), { code: 0 })
  t.same(remembered(lab), ['lab@c1@eth0', 'other@c9@eth0'])
  t.same((await elementsOf(lab, ['10.1.0.3', 'fd00:1::3'])).length, 0)
  t.same((await elementsOf(lab, FIRST)).length, 10)
})

t.test('an ADD that fails leaves nothing', async t => {
  const [lab] = await node(t)
  const routes = [{ dst: '10.9.0.0/16', gw: '192.0.2.1' }]
  const config = lab.config({ mode: 'l3' }, { ...DUAL, routes })
  const attachment = { id: 'c1', netns: lab.namespace(), env: argsOf('shop/db') }
  t.match(await lab.call('ADD', config, attachment), { code: 1, json: { code: 7, msg: /next hop/ } })
  t.same([remembered(lab), await elementsOf(lab, FIRST)], [[], []])
})

t.test('without the rules of policies a pod that may need them is not wired', async t => {
  const [lab, config] = await node(t)
  const attachment = { id: 'c1', netns: lab.namespace(), env: argsOf('shop/db') }
  await lab.inside(lab.host, 'nft', 'delete', 'table', 'inet', 'podwire')
  const answer = await lab.call('ADD', config, attachment)
  t.match(answer, {
    code: 1,
    json: { code: 11, msg: /^Cannot close pod shop\/db, .* chains are not in table/ },
  })
  t.same([remembered(lab), (await lab.traces()).reservations], [[], []])
  t.equal((await attach(lab, config, 'free/web')).addresses.length, 2, 'others are')
})

t.test('a pod that no policy can mean is not wired', async t => {
  const [lab, config] = await node(t)
  const attachment = { id: 'c1', netns: lab.namespace(), env: argsOf('free/My_Pod') }
  t.match(await lab.call('ADD', config, attachment), {
    code: 1,
    json: { code: 4, msg: /K8S_POD_NAME="My_Pod"/ },
  })
  t.same(remembered(lab), [])
  t.equal((await lab.attach(config)).addresses.length, 2, 'one that is no pod of Kubernetes is')
  t.same(remembered(lab), [])
})

t.test('while nobody ever heard which namespaces have policies, each may', async t => {
  const [lab, config] = await node(t)
  rmSync(`${lab.run}/policy/namespaces`, { recursive: true })
  await attach(lab, config, 'free/web')
  t.equal((await elementsOf(lab, FIRST)).length, 10)
})

t.test('many ADDs and DELs at once', async t => {
  const [lab, config] = await node(t)
  const names = Array.from({ length: 8 }, (_, i) => `shop/p${i}`)
  const pods = await Promise.all(names.map(key => attach(lab, config, key)))
  const addresses = pods.flatMap(pod => pod.addresses)
  t.equal(remembered(lab).length, 8)
  t.equal((await elementsOf(lab, addresses)).length, 80)
  for (const { code } of await Promise.all(pods.map(pod => lab.call('DEL', config, pod)))) t.equal(code, 0)
  t.same([remembered(lab), await elementsOf(lab, addresses)], [[], []])
})

t.test('what is remembered is read in the order of the ADDs, and what is damaged is told', async t => {
  t.teardown(() => rmSync('/run/podwire/policy', { recursive: true, force: true }))
  t.same(
    rememberedPods(problem => t.fail(problem)),
    [],
  )
  const pods = ['n/c2/eth0', 'n/c1/eth0'].map((id, i) => ({
    id,
    namespace: 'shop',
    name: 'db',
    uid: '',
    addresses: [ip(`10.1.0.${i}`)],
  }))
  const folder = '/run/podwire/policy/pods'
  for (const each of pods) rememberPod(each)
  // Files that are written at once may be of the same time.
  utimesSync(`${folder}/n@c2@eth0`, 1, 1)
  writeFileSync(`${folder}/n@c3@eth0`, '{"namespace":')
  mkdirSync(`${folder}/n@c4@eth0`)
  writeFileSync(`${folder}/.n@c5@eth0`, '')
  const problems: string[] = []
  t.strictSame(
    rememberedPods(problem => problems.push(problem)),
    pods,
  )
  t.match(problems.toSorted(), [/n@c3@eth0: it is damaged/, /n@c4@eth0: not a plain file/])
  for (const { id } of pods) forgetPod(id)
  forgetPod('n/c1/eth0')
  t.throws(() => rememberPod({ ...pods[0]!, name: 'My_Pod' }), {
    kind: 'invalid-environment',
    message: /K8S_POD_NAME=/,
  })
  t.throws(() => rememberPod({ ...pods[0]!, id: 'n/c4/eth0' }), { kind: 'io', message: /^Cannot remember/ })
})
