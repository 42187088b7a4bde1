import t from 'tap'
import { IPV4, IPV6 } from '../../ipam/core/ip.ts'
import { cidr, ip } from '../../test/support/result.ts'
import { owner } from '../../test/support/rules.ts'
import {
  forgetCommand,
  hostPortChains,
  hostPortElements,
  hostPortScript,
  isHostPort,
  type Publication,
  publishedAddresses,
  udpPortsOf,
} from './host-ports.ts'
import type { PortMapping } from './port-mapping.ts'
import { elementScript } from './table.ts'

const C1 = owner('c1')
const [V4, V6] = [cidr('10.1.0.5/24'), cidr('fd00::5/64')]
const mapping = (more: Partial<PortMapping> = {}): PortMapping => ({
  protocol: 'tcp',
  hostPort: 8080,
  containerPort: 80,
  hostIp: undefined,
  ...more,
})
const publication = (more: Partial<Publication> = {}): Publication => ({
  addresses: [V4, V6],
  mode: 'l3',
  mappings: [mapping()],
  ...more,
})

/** The elements as nft reads them, without what all have in common. */
const elements = (given: Publication): string[] =>
  elementScript(hostPortElements(C1, given))
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.replace('add element inet podwire ', '').replace(` comment "pods ${C1.veth}"`, ''))

t.test('hostPortElements() leads a port of the node to the pod, in both families', t => {
  t.same(elements(publication()), [
    'hostports4 { tcp . 8080 : 10.1.0.5 . 80 }',
    'hostports6 { tcp . 8080 : fd00::5 . 80 }',
    'hairpin4 { 10.1.0.5 . 10.1.0.5 }',
    'hairpin6 { fd00::5 . fd00::5 }',
  ])
  t.end()
})

t.test('hostPortElements() leads what the bridge would switch back through the node in mode l2', t => {
  t.same(elements(publication({ mode: 'l2' })).slice(2), [
    'neighbours4 { 10.1.0.5 : goto within-10.1.0.0/24 }',
    'neighbours6 { fd00::5 : goto within-fd00__/64 }',
  ])
  t.end()
})

t.test('hostPortElements() maps a port of one address of the node in its family alone', t => {
  const mappings = [
    mapping({ hostIp: ip('192.0.2.1'), protocol: 'udp' }),
    mapping({ hostIp: ip('2001:db8::1'), protocol: 'sctp' }),
  ]
  t.same(elements(publication({ mappings })).slice(0, 2), [
    'hostip-hostports4 { 192.0.2.1 . udp . 8080 : 10.1.0.5 . 80 }',
    'hostip-hostports6 { 2001:db8::1 . sctp . 8080 : fd00::5 . 80 }',
  ])
  t.same(elements(publication({ mappings: mappings.slice(0, 1) })).length, 2)
  t.same(elements(publication({ mappings, addresses: [V6] })), [
    'hostip-hostports6 { 2001:db8::1 . sctp . 8080 : fd00::5 . 80 }',
    'hairpin6 { fd00::5 . fd00::5 }',
  ])
  t.end()
})

t.test('hostPortElements() maps to the first address of a family', t => {
  const addresses = [cidr('10.1.0.6/24'), V4]
  t.same(elements(publication({ addresses })), [
    'hostports4 { tcp . 8080 : 10.1.0.6 . 80 }',
    'hairpin4 { 10.1.0.6 . 10.1.0.6 }',
  ])
  t.end()
})

t.test('publishedAddresses() are none without mappings, without addresses, and for the other family', t => {
  const none: readonly Partial<Publication>[] = [
    { mappings: [] },
    { addresses: [] },
    { addresses: [V4], mappings: [mapping({ hostIp: ip('fd00::1') })] },
  ]
  for (const given of none) {
    t.same(publishedAddresses(publication(given)), [])
    t.same(elements(publication(given)), [])
  }
  t.same(publishedAddresses(publication()), [V4, V6])
  t.end()
})

t.test('hostPortChains() counts the rules that the script puts into each chain', t => {
  for (const mode of ['l2', 'l3'] as const) {
    const given = publication({ mode })
    const lines = hostPortScript(given).split('\n')
    const chains = hostPortChains(given)
    for (const { chain, rules } of chains)
      t.equal(lines.filter(line => line.startsWith(`add rule inet podwire ${chain} `)).length, rules, chain)
    const counted = chains.reduce((sum, { rules }) => sum + rules, 0)
    t.equal(lines.filter(line => line.startsWith('add rule ')).length, counted, 'and no other')
  }
  t.end()
})

t.test('hostPortScript() makes the same chains for however many ports', t => {
  const many = Array.from({ length: 1000 }, (_, i) => mapping({ hostPort: 1000 + i }))
  t.equal(hostPortScript(publication({ mappings: many })), hostPortScript(publication()))
  t.end()
})

t.test('udpPortsOf() finds the UDP ports of the node among what an attachment owns', t => {
  const mappings = [
    mapping(),
    mapping({ protocol: 'udp', hostPort: 53 }),
    mapping({ protocol: 'udp', hostPort: 54, hostIp: ip('fd00::1') }),
  ]
  const own = hostPortElements(C1, publication({ mappings }))
  const ports = udpPortsOf([...own, { kind: 'chain', chain: 'spoof-x', owner: C1 }])
  t.same(ports, [
    { family: IPV4, port: 53, hostIp: undefined },
    { family: IPV6, port: 53, hostIp: undefined },
    { family: IPV6, port: 54, hostIp: ip('fd00::1') },
  ])
  t.same(ports.map(forgetCommand), [
    'conntrack -D -f ipv4 -p udp --dport 53',
    'conntrack -D -f ipv6 -p udp --dport 53',
    'conntrack -D -f ipv6 -p udp -d fd00::1 --dport 54',
  ])
  t.same(udpPortsOf([{ ...own[0]!, key: [] }]), [], 'what has no port')
  t.equal(own.filter(isHostPort).length, 5)
  t.end()
})
