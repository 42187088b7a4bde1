import t from 'tap'
import { addresses, wish } from '../../test/support/wish.ts'
import { explain } from './failure.ts'
import { plan } from './plan/plan.ts'
import type { Step } from './step.ts'

/** One step of each kind, as plans make them. */
const STEPS = plan(wish({ isGateway: true, ipMasq: true, enabledad: true }, addresses('10.1.0.5/24')))
const LIMITS = { ingressRate: 8, ingressBurst: 8, egressRate: 8, egressBurst: 8 }
const LIMITED = plan(wish(LIMITS, addresses('10.1.0.5/24')))
const ROUTED = plan(wish({ mode: 'l3' }, addresses('10.1.0.5/24')))
const TRUNK = plan(wish({ vlan: 5 }, addresses('10.1.0.5/24')))
const step = (kind: Step['kind'], steps = STEPS): Step => steps.find(item => item.kind === kind) as Step
const kindOf = (item: Step, errno: string): string => explain(item, errno, `${errno} (words)`, undefined).kind

t.test('explain() says which step the kernel refused, in its words, and keeps the cause', t => {
  const cause = new Error('EEXIST')
  const error = explain(step('veth'), 'EEXIST', 'EEXIST (File exists)', cause)
  t.match(error, {
    kind: 'interface-exists',
    message:
      /^Cannot make the veth pair "vethd72e032fedd" - "eth0" on the bridge "cbr0": EEXIST \(File exists\); .*CNI_IFNAME/,
    details: /^ip link add vethd72e032fedd /,
    cause,
  })
  t.end()
})

const DEEDS: readonly (readonly [Step, RegExp])[] = [
  [step('bridge'), /^Cannot make the bridge "cbr0": /],
  [step('bridge', TRUNK), /^Cannot make the bridge "cbr0" with VLAN filtering: /],
  [step('sysctl'), /^Cannot set net\/ipv6\/conf\/cbr0\/accept_ra: /],
  [step('up'), /^Cannot set up "cbr0" \(ip link set cbr0 up\): /],
  [step('port'), /^Cannot set up "vethd72e032fedd" \(ip link set .* alias/],
  [step('vlan', TRUNK), /^Cannot set up "vethd72e032fedd" \(bridge vlan add/],
  [
    step('fdb', ROUTED),
    /^Cannot set up "vethd72e032fedd" \(bridge fdb replace f2:12:50:b1:84:5e dev vethd72e032fedd master static sticky\): /,
  ],
  [step('forward'), /^Cannot set up "vethd72e032fedd" \(bridge link set .* state 3\): /],
  [step('address'), /^Cannot set up "cbr0" \(ip address add 10\.1\.0\.1\/24 dev cbr0\): /],
  [step('route'), /^Cannot set up "eth0" \(ip -n CONTAINER route append/],
  [step('announce'), /^Cannot set up "eth0" \(ip -n CONTAINER link set eth0 address/],
  [step('neighbour', ROUTED), /^Cannot set up "cbr0" \(ip neighbour replace 10\.1\.0\.5 lladdr/],
  [step('settle'), /^Cannot set up "eth0" \(# wait/],
  [step('ifb', LIMITED), /^Cannot make the ifb device "bwpd72e032fedd": /],
  [step('shape', LIMITED), /^Cannot limit the rate of "vethd72e032fedd": /],
  [
    step('redirect', LIMITED),
    /^Cannot redirect what comes in through "vethd72e032fedd" to "bwpd72e032fedd": /,
  ],
  [step('rules'), /^Cannot load the masquerade rules: /],
]

t.test('explain() names the object of every step, and its command on one line', t => {
  for (const [item, message] of DEEDS) {
    const error = explain(item, 'EIO', 'EIO', undefined)
    t.match(error, { kind: 'netlink', message, details: /^[^\n]+$/ }, item.kind)
    t.match(error.message, /; see the details for the command/)
  }
  t.end()
})

t.test('explain() tells missing rights and interfaces that vanish for every step', t => {
  for (const [item] of DEEDS) {
    t.match(explain(item, 'EPERM', 'EPERM', undefined), { kind: 'netlink', message: /CAP_NET_ADMIN/ })
    if (item.kind !== 'address') t.equal(kindOf(item, 'EACCES'), 'netlink', item.kind)
    for (const errno of ['ENODEV', 'ENXIO', 'EBUSY']) t.equal(kindOf(item, errno), 'try-again', item.kind)
  }
  t.end()
})

const MODULES = [
  ['ifb', 'EOPNOTSUPP', /CONFIG_IFB \(module ifb, for "egressRate"\); load its module/],
  ['shape', 'ENOENT', /CONFIG_NET_SCH_TBF \(module sch_tbf, /],
  ['shape', 'EOPNOTSUPP', /CONFIG_NET_SCH_TBF/],
  ['redirect', 'ENOENT', /modules sch_ingress, cls_u32 and act_mirred, /],
] as const

t.test('explain() names the modules that limits need', t => {
  for (const [kind, errno, message] of MODULES)
    t.match(explain(step(kind, LIMITED), errno, errno, undefined), {
      kind: 'kernel-feature-missing',
      message,
    })
  t.equal(kindOf(step('ifb', LIMITED), 'ENOENT'), 'netlink')
  t.equal(kindOf(step('ifb', LIMITED), 'EEXIST'), 'interface-exists')
  t.end()
})

t.test('explain() says where IPv6 is off: the kernel refuses the address there', t => {
  const error = explain(step('address'), 'EACCES', 'EACCES', undefined)
  t.match(error, { kind: 'kernel-feature-missing', message: /net\.ipv6\.conf\.\S+\.disable_ipv6=0/ })
  t.end()
})

t.test('explain() names what the kernel lacks', t => {
  const lacks: readonly (readonly [Step, RegExp])[] = [
    [step('bridge'), /lacks CONFIG_BRIDGE;/],
    [step('bridge', TRUNK), /lacks CONFIG_BRIDGE_VLAN_FILTERING \(for "vlan" and "vlanTrunk"\);/],
    [step('veth'), /lacks CONFIG_VETH;/],
    [step('vlan', TRUNK), /lacks CONFIG_BRIDGE_VLAN_FILTERING/],
    [step('port'), /lacks a bridge port option/],
    [step('address'), /is IPv6 off\?/],
    [step('route'), /is IPv6 off\?/],
    [step('up'), /lacks a feature it needs/],
  ]
  for (const [item, message] of lacks) {
    for (const errno of ['EOPNOTSUPP', 'EAFNOSUPPORT'])
      t.match(explain(item, errno, errno, undefined), { kind: 'kernel-feature-missing', message }, item.kind)
  }
  t.end()
})

t.test('explain() knows what a refusal means where a config can cause it', t => {
  const meanings: readonly (readonly [Step, string, string, RegExp])[] = [
    [step('vlan', TRUNK), 'EINVAL', 'bridge-conflict', /VLAN filtering is off; remove the bridge/],
    [step('route'), 'EEXIST', 'invalid-config', /remove it from "ipam\.routes"/],
    [step('route'), 'ENETUNREACH', 'invalid-config', /correct "gw"/],
    [step('veth'), 'EINVAL', 'netlink', /./],
    [step('address'), 'EEXIST', 'netlink', /./],
    [step('address'), 'ENETUNREACH', 'netlink', /./],
  ]
  for (const [item, errno, kind, message] of meanings)
    t.match(explain(item, errno, errno, undefined), { kind, message }, `${item.kind} ${errno}`)
  t.end()
})
