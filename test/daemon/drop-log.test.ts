import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { libc } from '../../cni/edge/libc.ts'
import { Compiler } from '../../daemon/core/policy/compile.ts'
import { dropLine } from '../../daemon/core/policy/drop-line.ts'
import { listenToDrops } from '../../daemon/edge/drop-log.ts'
import { loadPolicy } from '../../daemon/edge/policy-table.ts'
import { until } from '../conformance/until.ts'
import { Lab } from '../netns/lab.ts'
import { fakeLog } from '../support/log.ts'
import { attachment, pod, policy } from '../support/policy-objects.ts'
import { Talker } from './talker.ts'

/*
 * What the kernel tells of packets that policies drop, on a node with the pods `free/web`, which no policy selects, `shop/db`,
 * which nobody may reach, and `shop/mute`, which may reach nobody.
 */

// CLONE_NEWNET: the process is in a namespace of its own, as the daemon is in the node's.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')
execFileSync('ip', ['link', 'set', 'lo', 'up'])
execFileSync('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])

const lab = new Lab(t)
const { log, lines } = fakeLog()

/** Makes a pod behind a veth, with the addresses 10.1.N.2 and fd00:N::2; answers its namespace. */
function wire(name: string, n: number): string {
  const netns = lab.namespace(name)
  const script = `
    ip link add ${name}0 type veth peer eth0 netns ${netns}
    ip address add 10.1.${n}.1/24 dev ${name}0; ip address add fd00:${n}::1/64 dev ${name}0 nodad
    ip -n ${netns} address add 10.1.${n}.2/24 dev eth0; ip -n ${netns} address add fd00:${n}::2/64 dev eth0 nodad
    ip link set ${name}0 up; ip -n ${netns} link set eth0 up
    ip -n ${netns} route add default via 10.1.${n}.1; ip -n ${netns} -6 route add default via fd00:${n}::1`
  execFileSync('sh', ['-ec', script])
  return netns
}

/** Everything of this node, with dropped packets logged. */
function compiler(): Compiler {
  const made = new Compiler({ node: 'n1', unknownPods: 'closed', log: true })
  for (const [key, n] of [
    ['free/web', 1],
    ['shop/db', 2],
    ['shop/mute', 3],
  ] as const) {
    const addresses = [`10.1.${n}.2`, `fd00:${n}::2`]
    made.setPod(pod(key, addresses, { app: key.slice(5) }))
    made.attach(attachment(key, key, addresses))
  }
  made.setPolicy(policy('shop/db', { podSelector: { matchLabels: { app: 'db' } } }))
  const mute = { podSelector: { matchLabels: { app: 'mute' } }, policyTypes: ['Egress'] }
  made.setPolicy(policy('shop/mute', mute))
  return made
}

/** The groups that somebody listens to. */
const listeners = (): string => readFileSync('/proc/thread-self/net/netfilter/nfnetlink_log', 'utf8')

const EXPECTED = [
  'ingress to shop/db: tcp 10.1.1.2:40001 (free/web) > 10.1.2.2:5432',
  'ingress to shop/db: udp [fd00:1::2]:40002 (free/web) > [fd00:2::2]:53',
  'ingress to shop/db: icmp type 8 10.1.1.2 (free/web) > 10.1.2.2',
  'ingress to shop/db: icmpv6 type 128 fd00:1::2 (free/web) > fd00:2::2',
  'of no known connection of shop/db: tcp 10.1.1.2:PORT (free/web) > 10.1.2.2:7000',
  'egress from shop/mute: udp 10.1.3.2:40003 > 10.1.1.2:7000 (free/web)',
  'egress from shop/mute: tcp [fd00:3::2]:40004 > [fd00:1::2]:7000 (free/web)',
]

t.test('packets that are dropped are told, with the pods at both ends', async t => {
  const namespaces = { web: wire('web', 1), db: wire('db', 2), mute: wire('mute', 3) }
  const [web, mute] = [
    await Talker.start(t, lab, namespaces.web, 'web'),
    await Talker.start(t, lab, namespaces.mute, 'mute'),
  ]
  await Talker.start(t, lab, namespaces.db, 'db')
  const open = await web.keep('10.1.2.2')
  t.equal(open.seen, 'db 10.1.1.2')
  const known = compiler()
  const rules = known.compile()
  await loadPolicy({ env: process.env }, rules)

  const found = new Set<string>()
  const podAt = (address: string) => known.podAt(address)
  const listening = listenToDrops(packet => {
    const { message } = dropLine(packet, { rules, podAt })
    found.add(
      message.replace('Dropped by NetworkPolicy: ', '').replace(/(?<=10\.1\.1\.2:)(?!4000|7000)\d+/, 'PORT'),
    )
  }, log)
  t.match(listeners(), /^ *117 /)
  t.throws(() => listenToDrops(() => {}, log), /: somebody else listens to group 117 of NFLOG/)

  const asked = [
    web.askAt('tcp', '10.1.2.2', { fromPort: 40001, port: 5432 }),
    web.askAt('udp', 'fd00:2::2', { fromPort: 40002, port: 53 }),
    open.again(),
    mute.askAt('udp', '10.1.1.2', { fromPort: 40003 }),
    mute.askAt('tcp', 'fd00:1::2', { fromPort: 40004 }),
    lab.pings(namespaces.web, '10.1.2.2'),
    lab.pings(namespaces.web, 'fd00:2::2'),
  ]
  await until('all to be told', async () => found.size >= EXPECTED.length)
  await Promise.all(asked)
  t.same([...found].toSorted(), EXPECTED.toSorted())

  listening[Symbol.dispose]()
  t.equal(listeners(), '', 'nobody listens any more')
  t.same(lines, [], 'nothing was lost')
})

t.test('that packets were lost is said, once for as many as came together', async t => {
  const { log, lines } = fakeLog()
  let told = 0
  using _ = listenToDrops(() => (told += 1), log)
  const rule = 'icmp type echo-request log prefix "ingress" group 117'
  execFileSync('nft', [`table inet t { chain c { type filter hook output priority 0; ${rule}; }; }`])
  // Nobody reads meanwhile.
  execFileSync('ping', ['-fqc5000', '127.0.0.1'])
  await until('a packet to be told', async () => told > 0)
  t.same(lines, [
    'warn Lost some of the packets that NetworkPolicies dropped: more came than could be read in time',
  ])
  t.ok(told < 5000, `${told} packets were told`)
  execFileSync('nft', ['delete table inet t'])
})
