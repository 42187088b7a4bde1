import fc from 'fast-check'
import t from 'tap'
import { ip } from '../../test/support/result.ts'
import { Reader } from '../spec/read.ts'
import type { Json } from '../spec/read.ts'
import { parsePortMappings } from './port-mapping.ts'

const parse = (portMappings?: Json) =>
  parsePortMappings(new Reader(portMappings === undefined ? {} : { runtimeConfig: { portMappings } }))
const GOOD = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }

t.test('parsePortMappings() reads what the runtime sends', t => {
  t.same(
    parse([
      GOOD,
      { ...GOOD, protocol: 'udp', hostIP: '192.0.2.1' },
      { ...GOOD, protocol: 'sctp', hostIP: 'fd00::1' },
    ]),
    [
      { ...GOOD, hostIp: undefined },
      { ...GOOD, protocol: 'udp', hostIp: ip('192.0.2.1') },
      { ...GOOD, protocol: 'sctp', hostIp: ip('fd00::1') },
    ],
  )
  t.end()
})

t.test('parsePortMappings() takes nothing for no mappings', t => {
  for (const none of [undefined, null, []]) t.same(parse(none), [])
  t.same(parsePortMappings(new Reader({ runtimeConfig: null })), [])
  t.end()
})

t.test('parsePortMappings() passes over mappings without a port of the node, whatever else they say', t => {
  t.same(
    parse([
      { hostPort: 0, containerPort: 80 },
      { containerPort: 80 },
      { hostPort: null, protocol: 'x' },
      GOOD,
    ]).length,
    1,
  )
  t.end()
})

t.test('parsePortMappings() reads keys and protocols in capitals and small letters', t => {
  const spellings = fc.mixedCase(fc.constant('hostport'), { toggleCase: text => text.toUpperCase() })
  fc.assert(
    fc.property(spellings, fc.mixedCase(fc.constantFrom('tcp', 'udp', 'sctp')), (key, protocol) => {
      const [mapping] = parse([{ [key]: 1, ContainerPort: 2, Protocol: protocol, HostIP: '' }])
      t.same(mapping, { hostPort: 1, containerPort: 2, protocol: protocol.toLowerCase(), hostIp: undefined })
    }),
  )
  t.end()
})

t.test('parsePortMappings() takes an absent protocol for TCP', t => {
  for (const protocol of ['', null]) t.equal(parse([{ ...GOOD, protocol }])[0]?.protocol, 'tcp')
  t.end()
})

t.test('parsePortMappings() takes an unspecified address for all', t => {
  for (const hostIP of ['', null, '0.0.0.0', '::', '0:0::0', '::ffff:0.0.0.0'])
    t.equal(parse([{ ...GOOD, hostIP }])[0]?.hostIp, undefined, `${hostIP}`)
  t.end()
})

t.test('parsePortMappings() keeps one of several equal mappings, and refuses what contradicts', t => {
  const one = { ...GOOD, hostIP: '192.0.2.1' }
  t.equal(parse([GOOD, { ...GOOD }, one, one, { ...one, hostIP: '::ffff:192.0.2.1' }]).length, 2)
  t.equal(parse([GOOD, { ...GOOD, protocol: 'udp', containerPort: 81 }]).length, 2)
  const message =
    'Cannot use "runtimeConfig.portMappings": tcp port 8080 of the node leads to port 80 of the container already; give each port of the node once'
  t.throws(() => parse([GOOD, { ...GOOD, containerPort: 81 }]), { kind: 'invalid-config', message })
  t.end()
})

t.test('parsePortMappings() names what it cannot use', t => {
  const at = 'Cannot use "runtimeConfig.portMappings'
  const refused: readonly (readonly [Json, string])[] = [
    ['8080', `${at}": expected a list, got "8080"`],
    [[80], `${at}[0]": expected an object, got 80`],
    [[{ ...GOOD, hostPort: -1 }], `${at}[0].hostPort": expected a whole number from 0 to 65535, got -1`],
    [[{ ...GOOD, hostPort: 1.5 }], `${at}[0].hostPort": expected a whole number from 0 to 65535, got 1.5`],
    [[{ ...GOOD, hostPort: '80' }], `${at}[0].hostPort": expected a whole number from 0 to 65535, got "80"`],
    [
      [{ ...GOOD, containerPort: 0 }],
      `${at}[0].containerPort": expected a whole number from 1 to 65535, got 0`,
    ],
    [
      [{ ...GOOD, containerPort: null }],
      `${at}[0].containerPort": it is missing; name the port that the container listens at`,
    ],
    [[{ ...GOOD, protocol: 'icmp' }], `${at}[0].protocol": "icmp"; it is "tcp", "udp" or "sctp"`],
    [[{ ...GOOD, protocol: 'toString' }], `${at}[0].protocol": "toString"; it is "tcp", "udp" or "sctp"`],
    [
      [GOOD, { ...GOOD, hostIP: '010.0.0.1' }],
      `${at}[1].hostIP": "010.0.0.1"; it is an address of the node, or empty for all`,
    ],
  ]
  for (const [mappings, message] of refused)
    t.throws(() => parse(mappings), { kind: 'invalid-config', message })
  t.end()
})
