import t from 'tap'
import { LINK } from '../../test/support/link.ts'
import { addresses, wish } from '../../test/support/wish.ts'
import { cidr, ip } from '../../test/support/result.ts'
import { compare, type Observed, type ObservedSite } from './compare.ts'
import { parseMac } from './mac.ts'
import { attachmentPair } from './names.ts'
import type { InterfaceAddress } from './netlink/address.ts'
import { IFF } from './netlink/link-header.ts'
import type { Link } from './netlink/link.ts'
import { type KernelRoute, MAIN_TABLE, SCOPE } from './netlink/route.ts'
import { plan } from './plan/plan.ts'
import type { Step } from './step.ts'
import type { Owned, OwnedElement } from './table.ts'

const KEYS = {
  isGateway: true,
  ipMasq: true,
  macspoofchk: true,
  hairpinMode: true,
  portIsolation: true,
}
const WISH = wish(KEYS, {
  ...addresses('10.1.0.5/24', 'fd00::5/64'),
  routes: [{ dst: cidr('0.0.0.0/0') }, { dst: cidr('fd01::/16'), table: 7 }],
})
const STEPS = plan(WISH)
const PAIR = attachmentPair(WISH.attachment)

const link = (index: number, name: string, more: Partial<Link> = {}): Link => ({
  ...LINK,
  index,
  name,
  flags: IFF.up,
  mac: parseMac('02:00:00:00:00:01'),
  ...more,
})
const address = (index: number, text: string): InterfaceAddress => ({
  cidr: cidr(text),
  index,
  tentative: false,
  duplicate: false,
})
const route = (dst: string, gw: string | undefined, index: number, table = MAIN_TABLE): KernelRoute => ({
  dst: cidr(dst),
  gw: gw === undefined ? undefined : ip(gw),
  index,
  table,
  scope: SCOPE.universe,
  priority: undefined,
})
const owner = { network: 'pods', veth: PAIR.name }

const BRIDGE = link(1, 'cbr0', { kind: 'bridge' })
const PORT = link(2, PAIR.name, { master: 1, hairpin: true, isolated: true })
const PEER = link(3, 'eth0', { peer: 2, mac: PAIR.peerMac })
const HOST: ObservedSite = {
  links: [BRIDGE, PORT],
  addresses: [address(1, '10.1.0.1/24'), address(1, 'fd00::1/64')],
}
const CONTAINER: ObservedSite = {
  links: [PEER],
  addresses: [address(3, '10.1.0.5/24'), address(3, 'fd00::5/64')],
}
const ROUTES = [route('0.0.0.0/0', '10.1.0.1', 3), route('fd01::/16', 'fd00::1', 3, 7)]
const RULES: readonly Owned[] = [
  { kind: 'chain', chain: `spoof-${PAIR.name}`, owner },
  ...STEPS.flatMap(step => (step.kind === 'rules' ? step.elements : [])),
]
const RULE_COUNTS = new Map([
  ['postrouting', 2],
  ['leaving-10.1.0.0/24', 2],
  ['leaving-fd00__/64', 3],
])
const ALL: Observed = {
  qdiscs: [],
  redirects: [],
  host: HOST,
  container: CONTAINER,
  routes: ROUTES,
  rules: RULES,
  ruleCounts: RULE_COUNTS,
}

const onHost = (more: Partial<ObservedSite>): Observed => ({ ...ALL, host: { ...HOST, ...more } })
const inside = (more: Partial<ObservedSite>): Observed => ({ ...ALL, container: { ...CONTAINER, ...more } })
const counted = (chain: string, rules: number): Observed => ({
  ...ALL,
  ruleCounts: new Map([...RULE_COUNTS, [chain, rules]]),
})
const port = (more: Partial<Link>): Observed => onHost({ links: [BRIDGE, { ...PORT, ...more }] })
const peer = (more: Partial<Link>): Observed => inside({ links: [{ ...PEER, ...more }] })

t.test('compare() finds no difference where all is as planned', t => {
  t.same(compare(STEPS, ALL), [])
  t.end()
})

t.test('compare() takes no offence at what others add', t => {
  const more: Observed = {
    ...ALL,
    host: {
      links: [...HOST.links, link(9, 'uplink')],
      addresses: [address(1, '192.0.2.1/24'), ...HOST.addresses],
    },
    container: {
      links: [...CONTAINER.links, link(4, 'net1')],
      addresses: [address(3, '192.0.2.5/24'), address(4, '10.1.0.5/24'), ...CONTAINER.addresses],
    },
    routes: [route('0.0.0.0/0', '192.0.2.9', 4), route('192.0.2.0/24', undefined, 3), ...ROUTES],
    ruleCounts: new Map([...RULE_COUNTS, ['postrouting', 9], ['leaving-192.0.2.0/24', 0]]),
    rules: [...RULES, { kind: 'chain', chain: 'x', owner: { network: 'others', veth: PAIR.name } }],
  }
  t.same(compare(STEPS, more), [])
  t.end()
})

const DIFFERENCES: readonly (readonly [title: string, Observed, readonly string[]])[] = [
  [
    'no bridge',
    onHost({ links: [PORT] }),
    ['the interface "cbr0" is gone', 'the interface "cbr0" is gone', 'the bridge "cbr0" is gone'],
  ],
  ['a bridge that is none', onHost({ links: [{ ...BRIDGE, kind: 'dummy' }, PORT] }), ['"cbr0" is no bridge']],
  ['a bridge that is down', onHost({ links: [{ ...BRIDGE, flags: 0 }, PORT] }), ['"cbr0" is down']],
  ['no host veth', onHost({ links: [BRIDGE] }), [`the host veth "${PAIR.name}" is gone`]],
  ['a host veth that is down', port({ flags: 0 }), [`"${PAIR.name}" is down`]],
  [
    'a host veth that is no port',
    port({ master: undefined }),
    [`"${PAIR.name}" is not a port of the bridge "cbr0"`],
  ],
  ['a port of another bridge', port({ master: 8 }), [`"${PAIR.name}" is not a port of the bridge "cbr0"`]],
  ['no hairpin', port({ hairpin: false }), [`hairpin mode is off on "${PAIR.name}"`]],
  ['no isolation', port({ isolated: false }), [`"${PAIR.name}" is not isolated`]],
  ['another kind of interface', peer({ kind: 'dummy' }), [`"eth0" is not the other end of "${PAIR.name}"`]],
  ['another pair', peer({ peer: 7 }), [`"eth0" is not the other end of "${PAIR.name}"`]],
  [
    'another MAC',
    peer({ mac: parseMac('02:00:00:00:00:09') }),
    [`"eth0" has the MAC 02:00:00:00:00:09, not ${PAIR.peerMac}`],
  ],
  ['a container interface that is down', peer({ flags: 0 }), ['"eth0" is down']],
  [
    'no container address',
    inside({ addresses: [address(3, 'fd00::5/64')] }),
    ['"eth0" has lost the address 10.1.0.5/24'],
  ],
  [
    'a container address with another prefix',
    inside({ addresses: [address(3, '10.1.0.5/16'), address(3, 'fd00::5/64')] }),
    ['"eth0" has lost the address 10.1.0.5/24'],
  ],
  [
    'a container address on another interface',
    inside({ addresses: [address(4, '10.1.0.5/24'), address(3, 'fd00::5/64')] }),
    ['"eth0" has lost the address 10.1.0.5/24'],
  ],
  [
    'no gateway',
    onHost({ addresses: [address(1, '10.1.0.1/24')] }),
    ['"cbr0" has lost the address fd00::1/64'],
  ],
  [
    'no routes',
    { ...ALL, routes: [] },
    [
      'the container has lost the route 0.0.0.0/0 via 10.1.0.1',
      'the container has lost the route fd01::/16 via fd00::1 table 7',
    ],
  ],
  ['no spoof check', { ...ALL, rules: RULES.slice(1) }, [`the spoof check of "${PAIR.name}" is gone`]],
  ['no masquerade', { ...ALL, rules: RULES.slice(0, 2) }, ['the masquerade rule of fd00::5 is gone']],
  [
    'a chain without its rules',
    counted('postrouting', 0),
    [
      'the chain "postrouting" of table "inet podwire" has lost rules, which any ADD to this network puts back',
    ],
  ],
  [
    'a subnet’s chain with one of its rules',
    counted('leaving-fd00__/64', 1),
    [
      'the chain "leaving-fd00__/64" of table "inet podwire" has lost rules, which any ADD to this network puts back',
    ],
  ],
  [
    'no chains',
    { ...ALL, ruleCounts: new Map() },
    [
      'the chain "postrouting" of table "inet podwire" has lost rules, which any ADD to this network puts back',
    ],
  ],
  [
    'rules of another owner',
    { ...ALL, rules: RULES.map(rule => ({ ...rule, owner: { ...owner, network: 'others' } })) },
    [`the spoof check of "${PAIR.name}" is gone`, 'the masquerade rule of 10.1.0.5 is gone'],
  ],
]

t.test('compare() names what is missing, and the object', t => {
  for (const [title, observed, differences] of DIFFERENCES)
    t.same(compare(STEPS, observed), differences, title)
  t.end()
})

t.test('compare() says first what explains the rest when the container’s interface is gone', t => {
  const differences = compare(STEPS, { ...inside({ links: [], addresses: [] }), routes: [] })
  t.equal(differences[0], 'the container has no interface "eth0"')
  t.end()
})

t.test('compare() wants of a route its destination, next hop, interface and table', t => {
  const others = [
    route('0.0.0.0/1', '10.1.0.1', 3),
    route('0.0.0.0/0', '10.1.0.9', 3),
    route('0.0.0.0/0', undefined, 3),
    route('0.0.0.0/0', '10.1.0.1', 4),
    route('0.0.0.0/0', '10.1.0.1', 3, 7),
    route('::/0', '10.1.0.1', 3),
  ]
  for (const other of others) {
    const [difference] = compare(STEPS, { ...ALL, routes: [other, ...ROUTES.slice(1)] })
    t.equal(difference, 'the container has lost the route 0.0.0.0/0 via 10.1.0.1')
  }
  t.end()
})

t.test('compare() takes a route without a next hop', t => {
  const direct = plan(wish({}, { ...addresses('10.1.0.5/24'), routes: [{ dst: cidr('10.9.0.0/16') }] }))
  t.same(compare(direct, { ...ALL, routes: [route('10.9.0.0/16', undefined, 3)] }), [])
  t.end()
})

t.test('compare() wants each of several routes to one destination', t => {
  const dst = cidr('fd09::/16')
  const gateways = ['fd00::1', 'fd00::9']
  const several = plan(
    wish({}, { ...addresses('fd00::5/64'), routes: gateways.map(gw => ({ dst, gw: ip(gw) })) }),
  )
  const [first, second] = gateways.map(gw => route('fd09::/16', gw, 3))
  t.same(compare(several, { ...ALL, routes: [second!, first!] }), [])
  t.same(compare(several, { ...ALL, routes: [first!] }), [
    'the container has lost the route fd09::/16 via fd00::9',
  ])
  t.end()
})

t.test('compare() leaves settings, bridge VLANs and the VLAN’s own veth pair alone', t => {
  const vlan = plan(wish({ vlan: 5, isGateway: true }, addresses('10.1.0.5/24'), { hasBridge: true }))
  const kinds = new Set(['sysctl', 'vlan', 'fdb', 'forward', 'announce', 'neighbour', 'veth'])
  const steps = vlan.filter(
    step => kinds.has(step.kind) && !('peer' in step && step.peer.place === 'container'),
  )
  t.same(compare(steps, { ...ALL, host: { ...HOST, links: [] }, container: { ...CONTAINER, links: [] } }), [])
  t.end()
})

t.test(
  'compare() misses a mapped port, one that leads elsewhere, and the rules that all have in common',
  t => {
    const portMappings = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }]
    const steps = plan(wish({ isGateway: true, runtimeConfig: { portMappings } }, addresses('10.1.0.5/24')))
    const [step] = steps.filter(({ kind }) => kind === 'rules') as [Extract<Step, { kind: 'rules' }>]
    const counts = step.chains.map(({ chain, rules }) => [chain, rules] as const)
    const [port, ...others] = step.elements as [OwnedElement, ...OwnedElement[]]
    const found = (rules: readonly Owned[], ruleCounts = new Map(counts)) =>
      compare(steps, { ...ALL, rules, ruleCounts })
    t.same(found([port, ...others]), [])
    t.same(found(others), ['the port mapping of tcp . 8080 is gone'])
    t.same(found([{ ...port, target: undefined }, ...others]), ['the port mapping of tcp . 8080 is gone'])
    t.match(found([port, ...others], new Map([...counts, ['hostports', 1]])), [
      /^the chain "hostports" of table/,
    ])
    t.end()
  },
)

t.test('compare() misses the lock of a routed container’s port, where the kernel knows of locks', t => {
  const [steps, switched] = ['l3', 'l2'].map(mode =>
    plan(wish({ mode }, addresses('10.1.0.5/24'))).filter(({ kind }) => kind === 'port' || kind === 'fdb'),
  ) as [Step[], Step[]]
  const found = (locked: boolean | undefined, planned = steps) =>
    compare(planned, onHost({ links: [BRIDGE, { ...PORT, locked }] }))
  t.same([found(true), found(undefined), found(false, switched)], [[], [], []])
  t.same(found(false), [`"${PAIR.name}" is not locked`])
  t.same(compare(steps, onHost({ links: [BRIDGE] })), [], 'without a port that is what is told')
  t.end()
})

t.test('compare() misses promiscuous mode where the config wants it', t => {
  const steps = plan(wish({ ...KEYS, hairpinMode: false, promiscMode: true }, addresses('10.1.0.5/24')))
  const promiscuous = onHost({ links: [{ ...BRIDGE, flags: IFF.up | IFF.promisc }, PORT] })
  t.same(compare(steps, promiscuous), [])
  t.same(compare(steps, onHost({ links: [BRIDGE, PORT] })), ['"cbr0" is not promiscuous'])
  t.end()
})
