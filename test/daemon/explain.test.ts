import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compile } from '../../daemon/core/policy/compile.ts'
import { parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import { parseNamespace, parsePod } from '../../daemon/core/policy/objects.ts'
import { loadScript } from '../../daemon/core/policy/script.ts'
import { run } from '../ipam/spawn.ts'
import { installPlugin } from '../netns/lab-daemon.ts'
import { Lab, PODWIRE } from '../netns/lab.ts'
import { type Answering, FakeApi, listOf } from '../support/api.ts'
import { Talker } from './talker.ts'

/*
 * `podwire policy explain` as people call it: the built program, an API server that is played, and on a node with the
 * compiled rules and pods that talk. nft on PATH enters the node's namespace.
 */

const DEADLINE_MS = 20_000

type Item = Readonly<Record<string, unknown>>

const podObject = (name: string, nodeName: string, ...ips: readonly string[]): Item => ({
  metadata: { namespace: 'shop', name, labels: { app: name } },
  spec: {
    nodeName,
    containers: [{ ports: [{ name: 'sql', containerPort: 7000 }] }],
  },
  status: { phase: 'Running', podIPs: ips.map(ip => ({ ip })) },
})

/** The database lets in web, and only at the port that talkers listen on. */
const POLICY = {
  metadata: { namespace: 'shop', name: 'db' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 'sql' }] }],
  },
}
const DAEMON = {
  metadata: { namespace: 'kube-system', name: 'podwire-2', labels: { 'app.kubernetes.io/name': 'podwire' } },
  spec: { nodeName: 'n2', hostNetwork: true },
}
const NAMESPACES = [{ metadata: { name: 'shop' } }, { metadata: { name: 'kube-system' } }]
const NODES = ['n1', 'n2'].map((name, i) => ({
  metadata: { name },
  status: { addresses: [{ type: 'InternalIP', address: `172.30.0.${i + 1}` }] },
}))

/** Lists of these objects, two to a page. */
function lists(pods: readonly Item[]): Answering {
  const all: Readonly<Record<string, readonly Item[]>> = {
    '/api/v1/pods': pods,
    '/api/v1/namespaces': NAMESPACES,
    '/api/v1/nodes': NODES,
    '/apis/networking.k8s.io/v1/networkpolicies': [POLICY],
  }
  return (asked, response) => {
    const from = Number(asked.query.get('continue') ?? 0)
    const items = all[asked.path]!
    const next = from + 2 < items.length ? String(from + 2) : undefined
    listOf(items.slice(from, from + 2), '1', next)(asked, response)
  }
}

/** Asks the program; `path` is where it is. */
async function ask(api: FakeApi, path: string, env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const argv = [path, 'policy', 'explain', `--kubeconfig=${api.kubeconfig}`, ...args]
  const { lines, stderr, status } = await run(argv, env).outcome
  return { lines, stderr, status }
}

/** A node with the pods web and db, and the compiled rules. */
async function stage(t: Test) {
  const lab = new Lab(t)
  const config = lab.config(
    { mode: 'l3' },
    { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] },
  )
  const [web, db] = [await lab.attach(config), await lab.attach(config)]
  const pods = [
    podObject('web', 'n1', ...web.addresses),
    podObject('db', 'n1', ...db.addresses),
    podObject('far', 'n2', '10.2.0.9'),
    DAEMON,
  ]
  const objects = {
    pods: pods.map(parsePod),
    namespaces: NAMESPACES.map(parseNamespace),
    policies: [parseNetworkPolicy(POLICY)],
    podCidrs: [],
    attached: [],
  }
  const rules = compile(objects, { node: 'n1', unknownPods: 'closed', log: false })
  writeFileSync(`${lab.folder}/rules`, loadScript(rules, { chains: [], maps: [], sets: [] }))
  await lab.inside(lab.host, 'nft', '-f', `${lab.folder}/rules`)
  const tools = `${lab.folder}/tools`
  mkdirSync(tools)
  const enter = `exec nsenter --net=${lab.path(lab.host)} nft "$@"`
  writeFileSync(`${tools}/nft`, `#!/bin/sh\nPATH=/usr/sbin:/sbin:/usr/bin:/bin\nexport PATH\n${enter}\n`)
  chmodSync(`${tools}/nft`, 0o755)
  const api = await FakeApi.start(t, lists(pods))
  const asked = (...args: readonly string[]) => ask(api, PODWIRE, { PATH: tools }, ...args)
  return { lab, web, db, api, tools, asked }
}

/** Asks again until a line says so. */
async function until(wanted: RegExp, asking: () => Promise<{ readonly lines: readonly string[] }>) {
  for (const deadline = Date.now() + DEADLINE_MS; ;) {
    const { lines } = await asking()
    if (lines.some(line => wanted.test(line))) return lines
    if (Date.now() > deadline) throw new Error(`No line like ${wanted} in:\n${lines.join('\n')}`)
  }
}

t.test('The rule that lets a connection pass is marked, and has counted it', async t => {
  const { lab, web, db, asked } = await stage(t)
  const talker = await Talker.start(t, lab, web.netns)
  await Talker.start(t, lab, db.netns)
  const question = ['--from=shop/web', '--to=shop/db:sql', '--kernel', '--node-name=n1']
  const rule = (version: 4 | 6, packets: number): RegExp =>
    new RegExp(
      `^->\\s+ip6? saddr @policy-pods${version}-\\S+ tcp dport 7000 counter packets ${packets} bytes \\d+ return comment "shop/db ingress\\[0\\]"$`,
    )
  const before = await asked(...question)
  t.same(before.lines.slice(0, 4), [
    'allowed',
    `TCP from shop/web (${web.addresses.join(', ')}) to shop/db (${db.addresses.join(', ')}), port 7000`,
    '  egress from shop/web is allowed: no policy isolates the pod for egress',
    '  ingress to shop/db is allowed: by shop/db, ingress[0]',
  ])
  t.equal(before.status, 0)
  t.equal(before.stderr, '')
  for (const version of [4, 6] as const)
    t.equal(before.lines.filter(line => rule(version, 0).test(line)).length, 1, `IPv${version} counted none`)
  t.equal(before.lines.filter(line => line === '  this node lets it pass').length, 2)
  t.equal(await talker.ask('tcp', db.addresses[0]!), web.addresses[0])
  const after = await asked(...question)
  t.equal(after.lines.filter(line => rule(4, 1).test(line)).length, 1, 'one connection was counted')
  t.ok(after.lines.includes(`  policy-egress4 has no ${web.addresses[0]}`))
  t.ok(
    after.lines.some(line =>
      line.startsWith(`  policy-ingress4 has ${db.addresses[0]} comment "shop/db" : goto`),
    ),
  )
})

t.test('What drops a packet is marked, and the pod’s dropped packets are told', async t => {
  const { lab, web, db, asked } = await stage(t)
  const question = ['--from=shop/web', '--to=shop/db:9/UDP', '--kernel']
  t.equal((await asked(...question)).status, 1)
  await lab.inside(web.netns, 'bash', '-c', `echo > /dev/udp/${db.addresses[0]}/9`)
  const lines = await until(/^ {2}dropped so far for ingress of shop\/db: 1 packets/, () =>
    asked(...question),
  )
  t.equal(lines[0], 'denied')
  t.ok(lines.includes('  ingress to shop/db is denied: isolated by shop/db, and no rule of it allows it'))
  t.ok(lines.includes('On this node, n1, IPv4:'), 'the node is known by its maps')
  t.ok(lines.some(line => /^->\s+counter packets 1 bytes \d+ goto policy-drop-ingress comment/.test(line)))
  t.equal(lines.filter(line => line === '  this node drops it').length, 2)
  t.notOk(
    lines.some(line => line.startsWith(' ?')),
    'all of it is understood',
  )
})

t.test('What a node sends to its own pod is shown to pass before any policy', async t => {
  const { asked } = await stage(t)
  const { lines, status } = await asked('--from=172.30.0.1', '--to=shop/db:9', '--kernel', '--node-name=n1')
  t.equal(status, 0)
  t.ok(lines.some(line => /^->\s+iif 0 fib saddr type local accept$/.test(line)))
  t.equal(lines.at(-1), '  this node lets it pass')
})

t.test('For ends on other nodes there is the command to run there', async t => {
  const { asked } = await stage(t)
  const { lines, status } = await asked('--from=shop/far', '--to=shop/db:sql', '--kernel', '--node-name=n1')
  t.equal(status, 1)
  t.equal(lines[0], 'denied')
  t.equal(
    lines.at(-1),
    `Node n2 has the rules for egress of shop/far; there: kubectl exec -n kube-system podwire-2 -- podwire policy explain --from='shop/far' --to='shop/db:sql' --kernel`,
  )
})

t.test('The launcher and podwired answer alike, and a call of a runtime is none of it', async t => {
  const { lab, api, tools, asked } = await stage(t)
  const question = ['--from=shop/web', '--to=192.0.2.1:443']
  const answer = await asked(...question)
  t.same(answer.status, 0)
  const folder = join(lab.folder, 'installed')
  installPlugin(folder)
  for (const path of [join(folder, 'bin/podwire'), PODWIRE.replace(/podwire$/, 'podwired')])
    t.same(await ask(api, path, { PATH: tools }, ...question), answer, path)
  const call = await ask(api, PODWIRE, { PATH: tools, CNI_COMMAND: 'VERSION' }, ...question)
  t.match(JSON.parse(call.lines.join('')), { cniVersion: '1.1.0' })
})

t.test('What it cannot tell it says in one line, with status 2', async t => {
  const api = await FakeApi.start(t, lists([podObject('web', 'n1', '10.1.0.1'), podObject('db', 'n1')]))
  const refused = async (message: RegExp, ...args: readonly string[]) => {
    const { lines, stderr, status } = await ask(api, PODWIRE, {}, ...args)
    t.same(lines, [])
    t.equal(status, 2)
    t.match(stderr, message)
  }
  const from = '--from=shop/web'
  await refused(
    /^podwire: Cannot find pod shop\/wbe: namespace "shop" has web, db\n$/,
    '--from=shop/wbe',
    '--to=1.1.1.1:1',
  )
  await refused(/^podwire: Cannot judge shop\/db: it has no address, [^\n]*\n$/, from, '--to=shop/db:1')
  await refused(/^podwire: Cannot explain: there is no --to; [^\n]*\n$/, from)
  await refused(/^podwire: Cannot use --to "x": [^\n]*\n$/, from, '--to=x')
  const nowhere = ['--kubeconfig=/nowhere', from, '--to=1.1.1.1:1']
  const { stderr, status } = await run([PODWIRE, 'policy', 'explain', ...nowhere], {}).outcome
  t.equal(status, 2)
  t.match(stderr, /^podwire: Cannot find the way to the API server: [^\n]*\n$/)
})

t.test('--help says how to ask', async t => {
  const { status, stderr, lines } = await run([PODWIRE, 'policy', 'explain', '--help'], {}).outcome
  t.same([status, stderr], [0, ''])
  t.match(lines[0], /^podwire policy explain: /)
  t.match(lines.join('\n'), '--kernel')
})
