import t, { type Test } from 'tap'
import { until } from '../conformance/until.ts'
import { EnforcingNode, type WiredPod } from './enforcing-node.ts'
import { Talker } from './talker.ts'

/*
 * The daemon as a cluster runs it, and NetworkPolicies: when they are in force, and what becomes of pods and connections
 * meanwhile. What a policy means is shown by test/netns/policy.test.ts.
 */

const policy = (name: string, spec: object, namespace = 'shop') => ({ metadata: { namespace, name }, spec })

const DENY = policy('deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })
/** Pods of the namespace reach each other. */
const WITHIN = policy('within', {
  podSelector: {},
  policyTypes: ['Ingress', 'Egress'],
  ingress: [{ from: [{ podSelector: {} }] }],
  egress: [{ to: [{ podSelector: {} }] }],
})

/** A node with namespaces `shop` and `free`. */
async function start(t: Test, ...options: readonly string[]): Promise<EnforcingNode> {
  const node = await EnforcingNode.start(t, ...options)
  for (const name of ['shop', 'free']) await node.api.set('Namespace', { metadata: { name } })
  return node
}

const talk = (t: Test, node: EnforcingNode, pod: WiredPod): Promise<Talker> =>
  Talker.start(t, node.lab, pod.netns, pod.name)

/** Whether one pod reaches another, by TCP and UDP, IPv4 and IPv6: all or nothing. */
async function reaches(from: Talker, to: WiredPod): Promise<boolean> {
  const answers = await from.reach(...to.addresses)
  const reached = answers.filter(answer => answer.startsWith(`${to.name} `)).length
  if (reached % 4 !== 0) throw new Error(`${to.name} is reached in part: ${answers.join(', ')}`)
  return reached === 4
}

t.test(
  'a policy is in force when a pod is wired, follows what is heard, and cuts what it forbids',
  async t => {
    const node = await start(t)
    const [a, b] = [
      await node.run({ namespace: 'shop', name: 'a' }),
      await node.run({ namespace: 'shop', name: 'b' }),
    ]
    const [talkerA, talkerB] = [await talk(t, node, a), await talk(t, node, b)]
    t.ok(await reaches(talkerA, b), 'without a policy everybody reaches everybody')
    const kept = await talkerA.keep(b.addresses[0])
    t.match(await kept.again(), /^b /)

    await node.api.set('NetworkPolicy', DENY)
    await until('the policy to be in force', async () => !(await reaches(talkerA, b)))
    t.match(await kept.again(400), /^failed/, 'a connection that was open is cut')

    const c = await node.run({ namespace: 'shop', name: 'c' })
    const talkerC = await talk(t, node, c)
    t.notOk(await reaches(talkerC, b), 'a new pod is closed from its first packet on')
    t.notOk(await reaches(talkerA, c))
    const host = await Talker.start(t, node.lab, node.lab.host, 'host')
    t.ok(await reaches(host, c), 'its node reaches it')

    await node.api.set('NetworkPolicy', WITHIN)
    await until('the other policy to be in force', () => reaches(talkerC, b))
    const d = await node.run({ namespace: 'shop', name: 'd' })
    const talkerD = await talk(t, node, d)
    t.ok(await reaches(talkerD, b), 'a new pod is open to whom it may reach, at once')
    t.ok(await reaches(talkerA, d))

    await node.api.delete('NetworkPolicy', WITHIN)
    await until('the policy to be gone', async () => !(await reaches(talkerB, a)))
    await node.api.delete('NetworkPolicy', DENY)
    await until('all to be open', () => reaches(talkerB, a))
  },
)

t.test('nothing that was sent to a pod’s address before it was there reaches the pod', async t => {
  const node = await start(t)
  await node.api.set('NetworkPolicy', DENY)
  await until('the policy to be heard of', async () => node.hasState('policy/namespaces/shop'))
  const sender = await talk(t, node, await node.run({ namespace: 'free', name: 'sender' }))
  const before = await node.run({ namespace: 'free', name: 'before' })
  const coming = before.addresses.map(address => address.replace(/\d+$/, last => `${Number(last) + 1}`))
  const netns = node.lab.namespace()
  const arrived = await node.lab.count(netns, 'input', 'th dport 7000')
  const sending = sender.reach(...coming)
  const waiting = async () => (await node.lab.inside(node.lab.host, 'ip', 'neighbour')).match(/INCOMPLETE/g)
  await until('the packets to wait for their receiver', async () => (await waiting())?.length === 2)
  const pod = { namespace: 'shop', name: 'late' }
  await node.announce(pod)
  t.same((await node.add(pod, netns)).addresses, coming)
  t.ok((await sending).every(answer => answer.startsWith('failed')))
  t.equal(await arrived(), 0)
})

t.test('nothing is lost of what is heard while other rules are on their way to the kernel', async t => {
  const node = await start(t)
  const pod = await node.run({ namespace: 'shop', name: 'a' })
  const deny = (i: number) => policy(`deny-${i}`, { podSelector: {}, ingress: [{ ports: [{ port: i }] }] })
  const many = Array.from({ length: 30 }, (_, i) => deny(i + 1))
  await Promise.all(many.map(each => node.api.set('NetworkPolicy', each)))
  const rules = () => node.lab.inside(node.lab.host, 'nft', 'list', 'table', 'inet', 'podwire')
  await until('the last to be in force', async () =>
    new RegExp(`dport .*30.* return comment "shop/deny-30 ingress\\[0\\]"`).test(await rules()),
  )
  t.match(await rules(), new RegExp(`${pod.addresses[0]} comment "shop/a" : goto`))
})

t.test('a pod that the API server has not told of is closed until it has', async t => {
  const node = await start(t)
  const known = await node.run({ namespace: 'free', name: 'known' })
  const talker = await talk(t, node, known)
  const started = performance.now()
  const pod = { namespace: 'free', name: 'unknown' }
  const unknown = await node.add(pod)
  t.ok(performance.now() - started > 900, 'the ADD has waited')
  await talk(t, node, unknown)
  t.notOk(await reaches(talker, unknown))
  t.match(await node.page('metrics'), /^podwire_policy_unknown_pods_total 1$/m)
  await node.announce(pod)
  await until('the pod to be open', () => reaches(talker, unknown))
})

t.test('with --policy-fail=open it is open', async t => {
  const node = await start(t, '--policy-fail=open')
  const known = await node.run({ namespace: 'free', name: 'known' })
  const unknown = await node.add({ namespace: 'free', name: 'unknown' })
  await talk(t, node, unknown)
  t.ok(await reaches(await talk(t, node, known), unknown))
})

t.test(
  'without the daemon rules stay, and new pods of a namespace with policies are closed until it is back',
  async t => {
    const node = await start(t)
    await node.api.set('NetworkPolicy', WITHIN)
    await until('the policy to be heard of', async () => node.hasState('policy/namespaces/shop'))
    const [a, b] = [
      await node.run({ namespace: 'shop', name: 'a' }),
      await node.run({ namespace: 'free', name: 'b' }),
    ]
    const [talkerA, talkerB] = [await talk(t, node, a), await talk(t, node, b)]
    await node.stopDaemon('SIGKILL')

    const closed = await node.run({ namespace: 'shop', name: 'closed' })
    const open = await node.run({ namespace: 'free', name: 'open' })
    await talk(t, node, closed)
    await talk(t, node, open)
    t.notOk(await reaches(talkerB, a), 'what was closed stays so')
    t.notOk(await reaches(talkerA, closed), 'though the policy would allow it')
    t.ok(await reaches(talkerB, open))

    await node.api.goAway()
    await node.startDaemon()
    await until('the daemon to serve', async () => (await node.page('healthz')) !== '')
    const later = await node.run({ namespace: 'shop', name: 'later' })
    await talk(t, node, later)
    t.notOk(await reaches(talkerA, later), 'a daemon that has heard nothing closes as well')
    t.notOk(await reaches(talkerA, closed))

    await node.api.comeBack()
    await node.ready()
    for (const pod of [closed, later])
      t.ok(await reaches(talkerA, pod), `${pod.name} is what its policies say`)
    t.notOk(await reaches(talkerB, closed))
  },
)

t.test('a pod that gets a former pod’s address has nothing of what that was allowed', async t => {
  const node = await start(t)
  const allow = {
    podSelector: { matchLabels: { app: 'db' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
  }
  await node.api.set('NetworkPolicy', policy('db', allow))
  const db = await node.run({ namespace: 'shop', name: 'db', labels: { app: 'db' } })
  const web = await node.run({ namespace: 'shop', name: 'web', labels: { app: 'web' } })
  await talk(t, node, db)
  t.ok(await reaches(await talk(t, node, web), db))
  // The API server still tells of the former pod at this address.
  t.equal((await node.call('DEL', web)).code, 0)
  const pods: WiredPod[] = []
  for (let i = 0; pods.at(-1)?.addresses[0] !== web.addresses[0]; i += 1)
    pods.push(await node.run({ namespace: 'free', name: `heir-${i}` }))
  t.notOk(await reaches(await talk(t, node, pods.at(-1)!), db))
})

t.test('a daemon that starts forgets the connections of pods that nobody has told it of', async t => {
  const node = await start(t)
  const pod = await node.run({ namespace: 'free', name: 'pod' })
  const talker = await talk(t, node, pod)
  const host = await Talker.start(t, node.lab, node.lab.host, 'host')
  t.ok(await reaches(host, pod))
  const unknown = '10.1.0.14'
  await node.lab.inside(node.lab.host, 'ip', 'address', 'add', unknown, 'dev', 'cbr0')
  t.equal((await talker.reach(unknown)).filter(answer => answer.startsWith('host')).length, 2)
  await node.lab.inside(node.lab.host, 'ip', 'address', 'del', unknown, 'dev', 'cbr0')
  await node.stopDaemon()
  await node.startDaemon()
  await node.ready()
  const known = await node.connections()
  t.equal(known.filter(each => each.includes(unknown)).length, 0)
  t.ok(known.some(each => each.includes(pod.addresses[0])))
})

t.test('rules that somebody took away are back with the next look', async t => {
  const node = await start(t, '--resync-seconds=1')
  await node.api.set('NetworkPolicy', DENY)
  const [a, b] = [
    await node.run({ namespace: 'shop', name: 'a' }),
    await node.run({ namespace: 'shop', name: 'b' }),
  ]
  const talker = await talk(t, node, a)
  await talk(t, node, b)
  await until('the policy to be in force', async () => !(await reaches(talker, b)))
  await node.lab.inside(node.lab.host, 'nft', 'delete', 'table', 'inet', 'podwire')
  await until('the rules to be back', async () => !(await reaches(talker, b)))
  t.match(await node.page('readyz'), /^\[\+\] policy: 1 NetworkPolicies, 2 isolated pods here$/m)
  t.match(
    await node.page('metrics'),
    /^podwire_policy_dropped_packets_total\{namespace="shop",pod="a",direction="egress"\} [1-9]/m,
  )
})
