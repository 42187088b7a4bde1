import t from 'tap'
import { formatCidr } from '../../../ipam/core/ip.ts'
import { matchesGolden, sections } from '../../../test/support/golden.ts'
import { cidr, ip } from '../../../test/support/result.ts'
import { addresses, wish } from '../../../test/support/wish.ts'
import type { JsonObject } from '../../spec/read.ts'
import { EMPTY_RESULT } from '../../spec/result.ts'
import { commandOf } from '../command.ts'
import { plan } from './plan.ts'
import type { Node } from './wish.ts'
import type { Step } from '../step.ts'

const IPAM = {
  v4: addresses('10.1.0.5/24'),
  v6: addresses('fd00::5/64'),
  dual: addresses('10.1.0.5/24', 'fd00::5/64'),
} as const

/** The plan of an attachment as its commands, one a line. */
const lines = (keys: JsonObject, ipam = IPAM.v4, node: Partial<Node> = {}): string[] =>
  plan(wish({ isGateway: true, ...keys }, ipam, node)).flatMap(step => commandOf(step).split('\n'))

for (const mode of ['l2', 'l3']) {
  t.test(`plan() wires ${mode}: see test/golden/plan-${mode}.txt`, t => {
    const cases = Object.entries(IPAM).map(
      ([family, ipam]) => [`${mode} ${family}`, lines({ mode }, ipam)] as const,
    )
    matchesGolden(t, `plan-${mode}.txt`, sections(cases))
    t.end()
  })
}

/** What a plan has more (+) and less (-) than another, each in its place; what both have is `...`. */
function difference(before: readonly string[], after: readonly string[]): string[] {
  const out: string[] = []
  let [rest, added] = [before, [] as string[]]
  const flush = (kept: number): void => {
    out.push(...rest.slice(0, kept).map(line => `- ${line}`), ...added)
    rest = rest.slice(kept + 1)
    added = []
  }
  for (const line of after) {
    const at = rest.indexOf(line)
    if (at < 0) added.push(`+ ${line}`)
    else {
      flush(at)
      if (out.at(-1) !== '  ...') out.push('  ...')
    }
  }
  flush(rest.length)
  return out
}

const PORTS = [
  { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  { hostPort: 53, containerPort: 53, protocol: 'udp', hostIP: '192.0.2.1' },
]

const OPTIONS: readonly (readonly [title: string, keys: JsonObject, ipam?: typeof IPAM.v4])[] = [
  ['isGateway: false', { isGateway: false }],
  ['isDefaultGateway', { isDefaultGateway: true }, { ...IPAM.v4, routes: [] }],
  ['mtu', { mtu: 1400 }],
  ['a static MAC', { runtimeConfig: { mac: '02:00:00:00:00:09' } }],
  ['hairpinMode', { hairpinMode: true }],
  ['portIsolation', { portIsolation: true }],
  ['promiscMode', { promiscMode: true }],
  ['vlan', { vlan: 5 }],
  ['vlan without the default VLAN', { vlan: 5, preserveDefaultVlan: false }],
  ['vlanTrunk', { vlanTrunk: [{ id: 7 }, { minID: 10, maxID: 20 }] }],
  ['macspoofchk', { macspoofchk: true }],
  ['ingressRate', { ingressRate: 8e6, ingressBurst: 8e5 }],
  ['egressRate', { egressRate: 8e6, egressBurst: 2 ** 32 - 1 }],
  ['ipMasq', { ipMasq: true }],
  ['portMappings', { runtimeConfig: { portMappings: PORTS } }],
  ['portMappings, v6', { runtimeConfig: { portMappings: PORTS } }, IPAM.v6],
  ['ipMasq, v6', { ipMasq: true }, IPAM.v6],
  ['enabledad, v4', { enabledad: true }],
  ['enabledad, v6', { enabledad: true }, IPAM.v6],
]

t.test('plan() does what each option asks: see test/golden/plan-options.txt', t => {
  const cases = OPTIONS.map(([title, keys, ipam = IPAM.v4]) => {
    const plain = lines({}, ipam)
    return [title, difference(plain, lines(keys, ipam))] as const
  })
  const bare = [
    ['the bridge is there', difference(lines({}), lines({}, IPAM.v4, { hasBridge: true }))],
    [
      'vlan, and the bridge and its VLAN interface are there',
      difference(lines({}), lines({ vlan: 5 }, IPAM.v4, { hasBridge: true, hasVlanInterface: true })),
    ],
    ['no ipam: the whole plan', lines({ ipMasq: true }, EMPTY_RESULT)],
    ['disableContainerInterface: the whole plan', lines({ disableContainerInterface: true }, EMPTY_RESULT)],
  ] as const
  const head = 'What an option changes in the plan of l2 v4 with isGateway (v6 where it says so).\n\n'
  matchesGolden(t, 'plan-options.txt', head + sections([...cases, ...bare]))
  t.end()
})

const only = <K extends Step['kind']>(kind: K, keys: JsonObject, ipam = IPAM.v4) =>
  plan(wish(keys, ipam)).filter(step => step.kind === kind) as Extract<Step, { kind: K }>[]

t.test('plan() refuses an address in the way on the bridge unless forceAddress is set', t => {
  const conflicts = (keys: JsonObject) =>
    only('address', { isGateway: true, ...keys }, IPAM.dual).map(step => `${step.place} ${step.conflict}`)
  t.same(conflicts({}), ['host refuse', 'host refuse', 'container keep', 'container keep'])
  t.same(conflicts({ forceAddress: true }), [
    'host replace',
    'host replace',
    'container keep',
    'container keep',
  ])
  t.end()
})

t.test('plan() names a gateway’s siblings, which are in nobody’s way', t => {
  const [first] = only('address', { isGateway: true }, IPAM.dual)
  t.same(first?.siblings.map(formatCidr), ['10.1.0.1/24', 'fd00::1/64'])
  t.end()
})

t.test('plan() lets only IPv6 quieting be optional', t => {
  const optional = only('sysctl', { mode: 'l3' }, IPAM.dual).filter(step => step.optional)
  t.same(
    optional.map(step => step.key.replace(/conf\/.*\//, 'conf/*/')),
    ['net/ipv6/conf/*/accept_ra', 'net/ipv6/conf/*/accept_dad', 'net/ipv6/conf/*/disable_ipv6'],
  )
  t.end()
})

t.test(
  'plan() names the chains that a masquerade needs, the script that makes them, and its own elements',
  t => {
    const [masquerade] = only('rules', { ipMasq: true }, IPAM.dual)
    t.same(
      masquerade?.chains.map(({ chain }) => chain),
      ['postrouting', 'leaving-10.1.0.0/24', 'leaving-fd00__/64'],
    )
    t.match(masquerade?.script, /^add table/)
    t.notMatch(masquerade?.script, 'element')
    t.equal(masquerade?.elements.length, 2)
    t.same(masquerade?.owner, { network: 'pods', veth: 'vethd72e032fedd' })
    t.end()
  },
)

t.test('plan() lets the node’s own programs reach a mapped port at 127.0.0.1, where the gateway is', t => {
  const asked = (keys: JsonObject, ipam = IPAM.v4): string[] =>
    only('sysctl', { runtimeConfig: { portMappings: PORTS }, ...keys }, ipam)
      .map(step => step.key)
      .filter(key => key.endsWith('/route_localnet'))
  t.same(asked({ isGateway: true }), ['net/ipv4/conf/cbr0/route_localnet'])
  t.same(asked({ isGateway: true, vlan: 5 }), ['net/ipv4/conf/cbr0.5/route_localnet'])
  t.same(asked({}), [], 'without a gateway the bridge carries no address')
  t.same(asked({ isGateway: true }, IPAM.v6), [], 'IPv6 knows no such setting')
  t.end()
})

t.test('plan() turns the port’s hairpin mode on for mapped ports, unless the bridge is promiscuous', t => {
  const hairpin = (keys: JsonObject) =>
    only('port', { runtimeConfig: { portMappings: PORTS }, ...keys }).map(step => step.hairpin)
  t.same(hairpin({}), [true])
  t.same(hairpin({ promiscMode: true }), [false])
  t.same(hairpin({ runtimeConfig: {} }), [false])
  t.end()
})

t.test('plan() locks a routed container’s port to its MAC when it has its VLANs', t => {
  const keys = { mode: 'l3', vlan: 5, runtimeConfig: { mac: '02:00:00:00:00:09' } }
  const steps = plan(wish(keys, IPAM.v4, { hasBridge: true, hasVlanInterface: true }))
  const port = steps.filter(step => ['port', 'vlan', 'fdb', 'up'].includes(step.kind)).slice(0, 4)
  t.same(
    port.map(({ kind }) => kind),
    ['port', 'vlan', 'fdb', 'up'],
  )
  t.match(port, [{ locked: true }, {}, { mac: '02:00:00:00:00:09' }])
  t.match(only('port', { mode: 'l2' }), [{ locked: false }])
  t.end()
})

t.test('plan() leaves settings alone that the bridge shows to be set', t => {
  const settings = (forwarding: { 4: boolean; 6: boolean }, redirects: boolean): string[] =>
    plan(wish({ mode: 'l3' }, IPAM.dual, { hasBridge: true, settings: { forwarding, redirects } })).flatMap(
      step => (step.kind === 'sysctl' && step.place === 'host' && !step.optional ? [step.key] : []),
    )
  t.same(settings({ 4: true, 6: true }, false), [])
  t.same(settings({ 4: false, 6: true }, false), ['net/ipv4/ip_forward'])
  t.same(settings({ 4: true, 6: false }, true), [
    'net/ipv4/conf/all/send_redirects',
    'net/ipv4/conf/cbr0/send_redirects',
    'net/ipv6/conf/all/forwarding',
  ])
  t.end()
})

t.test('plan() refuses a VLAN interface whose name is too long', t => {
  const keys = { bridge: 'twelveletter', vlan: 100, isGateway: true }
  const message = /"twelveletter\.100": it has more than 15 characters; shorten "bridge"/
  t.throws(() => plan(wish(keys, IPAM.v4)), { kind: 'invalid-config', message })
  t.end()
})

const routes = (keys: JsonObject, ipam = IPAM.v4): string[] =>
  only('route', keys, ipam).map(step => commandOf(step).replace('ip -n CONTAINER route append ', ''))

t.test('plan() sends a route through the family’s gateway unless it has its own or is of the link', t => {
  const dst = cidr('10.9.0.0/16')
  const gw = ip('10.1.0.7')
  const wanted = [{ dst }, { dst, gw }, { dst, scope: 253 }, { dst, scope: 0 }, { dst: cidr('fd09::/16') }]
  t.same(routes({ isGateway: true }, { ...IPAM.v4, routes: wanted }), [
    '10.9.0.0/16 via 10.1.0.1 dev eth0',
    '10.9.0.0/16 via 10.1.0.7 dev eth0',
    '10.9.0.0/16 scope 253 dev eth0',
    '10.9.0.0/16 via 10.1.0.1 scope 0 dev eth0',
    'fd09::/16 dev eth0',
  ])
  t.end()
})

t.test('plan() makes the way to a gateway before any route through it, once', t => {
  const ips = ['10.1.0.5/24', '10.2.0.5/24', '10.1.1.5/24'].map((text, i) => ({
    address: cidr(text),
    gateway: ip(i === 1 ? '10.2.0.1' : '10.1.0.1'),
  }))
  t.same(routes({ mode: 'l3' }, { ...IPAM.v4, ips, routes: [] }), [
    '10.1.0.1/32 dev eth0 scope link',
    '10.1.0.0/24 via 10.1.0.1 dev eth0',
    '10.2.0.1/32 dev eth0 scope link',
    '10.2.0.0/24 via 10.2.0.1 dev eth0',
    '10.1.1.0/24 via 10.1.0.1 dev eth0',
  ])
  t.end()
})

t.test('plan() makes no route to the subnet of an address that stands alone, as CHECK has it', t => {
  const ips = [{ address: cidr('10.1.0.5/32'), gateway: ip('10.1.0.1') }]
  t.same(routes({ mode: 'l3' }, { ...IPAM.v4, ips, routes: [] }), ['10.1.0.1/32 dev eth0 scope link'])
  t.end()
})

t.test('plan() makes no way to a gateway that a result, as CHECK gets it, does not name', t => {
  const wanted = wish({ mode: 'l3' }, IPAM.v4)
  const steps = plan({ ...wanted, result: { ...IPAM.v4, routes: [] } })
  t.same(
    steps.filter(step => step.kind === 'route'),
    [],
  )
  t.end()
})
