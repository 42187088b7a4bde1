import fc from 'fast-check'
import t from 'tap'
import { parseLogged } from '../../../cni/core/netlink/nflog.ts'
import { splitReplies } from '../../../cni/core/netlink/message.ts'
import { formatIp } from '../../../ipam/core/ip.ts'
import { joined, reply } from '../../../test/support/netlink.ts'
import { type DroppedPacket, parseDropped } from './dropped-packet.ts'

const recorded = (key: string): DroppedPacket | undefined =>
  parseDropped(parseLogged(splitReplies(reply(key))[0]!)!)

/** A packet of these bytes, with its addresses as text. */
function dropped(...groups: readonly string[]) {
  const packet = parseDropped({ prefix: 'ingress', payload: Uint8Array.fromHex(joined(groups.join(' '))) })
  return packet && { ...packet, source: formatIp(packet.source), destination: formatIp(packet.destination) }
}

/** An IPv4 header from 10.1.0.3 to 10.1.0.5. */
const v4 = (protocol: string, fragment = '0000', first = '45') =>
  `${first}000000 0000${fragment} 40${protocol}0000 0a010003 0a010005`
/** An IPv6 header from fd00::3 to fd00::5. */
const v6 = (next: string) =>
  `60000000 0000${next}40 fd000000000000000000000000000003 fd000000000000000000000000000005`

const ENDS4 = { direction: 'ingress', source: '10.1.0.3', destination: '10.1.0.5' }
const ENDS6 = { direction: 'ingress', source: 'fd00::3', destination: 'fd00::5' }
const UDP = '9c41 0035 0008 0000'
const PORTS = { sourcePort: 40001, destinationPort: 53 }

t.test('parseDropped() reads what the kernel told', async t => {
  const { source, destination, ...syn } = recorded('log prefix "ingress" group 117: a SYN')!
  t.same([source, destination].map(formatIp), ['10.1.0.3', '10.1.0.3'])
  t.same(syn, {
    direction: 'ingress',
    protocol: 6,
    sourcePort: 40001,
    destinationPort: 5432,
    isMidstream: false,
  })
  const { source: from, destination: to, ...ping } = recorded('log prefix "egress" group 117: a ping -6')!
  t.same([from, to].map(formatIp), ['fd00::3', 'fd00::3'])
  t.same(ping, { direction: 'egress', protocol: 58, icmpType: 128 })
})

t.test('parseDropped() finds the upper header behind options and extensions', async t => {
  const udp4 = { ...ENDS4, protocol: 17, ...PORTS }
  t.same(dropped(v4('11'), UDP), udp4)
  t.same(dropped(v4('11', '0000', '46'), '01010101', UDP), udp4, 'IPv4 options')
  const udp6 = { ...ENDS6, protocol: 17, ...PORTS }
  t.same(dropped(v6('11'), UDP), udp6)
  for (const [extension, header] of [
    ['00', '1100 000000000000'],
    ['3c', '1101 0000000000000000000000000000'],
    ['2b', '1100 000000000000'],
    ['33', '1104 00000000000000000000000000000000000000000000'],
    ['2c', '1100 0001 00000000'],
  ] as const)
    t.same(dropped(v6(extension), header, UDP), udp6, `extension ${extension}`)
  t.same(dropped(v6('00'), '3c00000000000000 1100000000000000', UDP), udp6, 'two of them')
})

t.test('parseDropped() knows which packets begin no connection', async t => {
  const tcp = (flags: string) =>
    dropped(v4('06'), `9c410035 00000000 00000000 50${flags}0000 00000000`)?.isMidstream
  t.equal(tcp('02'), false, 'SYN')
  t.equal(tcp('c2'), false, 'SYN with ECN')
  for (const flags of ['12', '10', '04', '11', '00', '03']) t.equal(tcp(flags), true, flags)
  const sctp = (chunk: string) => dropped(v4('84'), `9c410035 00000000 00000000 ${chunk}000004`)
  t.same(sctp('01'), { ...ENDS4, protocol: 132, ...PORTS, isMidstream: false }, 'INIT')
  t.equal(sctp('02')?.isMidstream, true)
})

t.test('parseDropped() says of a packet what is at hand', async t => {
  t.same(dropped(v4('11', '2000'), UDP), { ...ENDS4, protocol: 17, ...PORTS }, 'a first fragment')
  t.same(dropped(v4('11', '2001'), UDP), { ...ENDS4, protocol: 17 }, 'a later one')
  t.same(dropped(v6('2c'), '1100 0008 00000000', UDP), { ...ENDS6, protocol: 17 }, 'one of IPv6')
  t.same(dropped(v4('01'), '0800'), { ...ENDS4, protocol: 1, icmpType: 8 })
  t.same(dropped(v4('01')), { ...ENDS4, protocol: 1 })
  t.same(dropped(v4('11'), '9c4100'), { ...ENDS4, protocol: 17 })
  t.same(dropped(v4('06'), '9c410035'), { ...ENDS4, protocol: 6, ...PORTS, isMidstream: false })
  t.same(dropped(v4('84'), '9c410035'), { ...ENDS4, protocol: 132, ...PORTS, isMidstream: false })
  t.same(dropped(v4('2f'), UDP), { ...ENDS4, protocol: 47 }, 'a protocol that we know nothing of')
  t.same(dropped(v6('00'), '11000000'), { ...ENDS6, protocol: 0 }, 'an extension cut off')
  t.same(dropped(v6('00'), '11ff000000000000'), { ...ENDS6, protocol: 17 }, 'one longer than all')
})

t.test('parseDropped() passes over what is no packet of our rules', async t => {
  t.equal(dropped(''), undefined)
  t.equal(dropped('45000000'), undefined, 'half a header')
  t.equal(dropped(v4('11', '0000', '44'), UDP), undefined, 'a header shorter than IPv4 allows')
  t.equal(dropped('60000000'), undefined)
  t.equal(dropped(`50${'00'.repeat(60)}`), undefined, 'neither IPv4 nor IPv6')
  const payload = Uint8Array.fromHex(joined(v4('11')))
  t.equal(parseDropped({ prefix: 'podwire', payload }), undefined, 'the rule of somebody else')
})

t.test('parseDropped() throws at no bytes', async t => {
  const first = fc.constantFrom('45', '4f', '60')
  const next = fc.constantFrom('00', '06', '11', '2b', '2c', '33', '3c', '84')
  fc.assert(
    fc.property(first, next, fc.uint8Array({ maxLength: 128 }), (version, protocol, bytes) => {
      const payload = Uint8Array.from([Number.parseInt(version, 16), ...bytes])
      payload[version === '60' ? 6 : 9] = Number.parseInt(protocol, 16)
      parseDropped({ prefix: 'egress', payload })
    }),
  )
  t.pass()
})
