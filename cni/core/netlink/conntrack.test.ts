import t from 'tap'
import { formatIp, IPV4, IPV6 } from '../../../ipam/core/ip.ts'
import { joined, reply } from '../../../test/support/netlink.ts'
import { ip } from '../../../test/support/result.ts'
import { type Attr, parseAttrs } from './attr.ts'
import {
  type Connection,
  deleteConnection,
  dumpConnections,
  mayBeOf,
  parseConnection,
  tailOf,
} from './conntrack.ts'
import { encodeRequest, type Request, splitReplies } from './message.ts'
import { header, SUBSYSTEM, subsystemOf } from './nfnetlink.ts'
import { dumpSets } from './set.ts'

const bodyOf = (message: Uint8Array): Uint8Array => splitReplies(message)[0]!.body
const shown = (family: string): Connection | undefined =>
  parseConnection(bodyOf(reply(`conntrack -L -f ${family} -p udp --orig-port-dst 53`)))
const hex = (request: Request): string => encodeRequest(request, 1).toHex()

t.test('dumpConnections() lets the kernel choose by protocol and port', t => {
  t.equal(
    hex(dumpConnections(IPV4, { protocol: 17, originalDestinationPort: 53 })),
    joined(
      '38000000 0101 0103 01000000 00000000 02000000 ' +
        '18000180 14000280 0500010011000000 0600030000350000 0c001980 0800010028000000',
    ),
  )
  t.equal(
    hex(dumpConnections(IPV6, { protocol: 17 })),
    joined(
      '30000000 0101 0103 01000000 00000000 0a000000 10000180 0c000280 0500010011000000 0c001980 0800010008000000',
    ),
  )
  t.end()
})

t.test('dumpConnections() asks for both families without one', t => {
  t.equal(hex(dumpConnections()), joined('14000000 0101 0103 01000000 00000000 00000000'))
  t.end()
})

t.test('dumpConnections() lets the kernel choose by the source of either direction', t => {
  t.equal(
    hex(dumpConnections(IPV4, { originalSource: ip('10.1.0.5') })),
    joined(
      '30000000 0101 0103 01000000 00000000 02000000 10000180 0c000180 080001000a010005 0c001980 0800010001000000',
    ),
  )
  t.equal(
    hex(dumpConnections(IPV6, { replySource: ip('fd00::5') })),
    joined(
      '3c000000 0101 0103 01000000 00000000 0a000000 ' +
        '1c000280 18000180 14000300fd000000000000000000000000000005 0c001980 0800020001000000',
    ),
  )
  t.equal(hex(dumpConnections(IPV4)), joined('14000000 0101 0103 01000000 00000000 02000000'), 'all')
  t.end()
})

t.test('subsystemOf() tells which part of netfilter is asked', t => {
  t.equal(subsystemOf(dumpConnections()), SUBSYSTEM.conntrack)
  t.equal(subsystemOf(dumpSets()), SUBSYSTEM.nftables)
  t.end()
})

t.test('parseConnection() reads what the kernel lists', t => {
  for (const [family, address] of [
    ['ipv4', '127.0.0.1'],
    ['ipv6', '::1'],
  ] as const) {
    const { protocol, original, reply } = shown(family)!
    t.equal(protocol, 17)
    for (const { source, destination } of [original, reply])
      t.same([source, destination].map(formatIp), [address, address])
    t.equal(original.destinationPort, 53)
    t.equal(reply.sourcePort, 53)
    t.equal(reply.destinationPort, original.sourcePort)
  }
  t.end()
})

t.test('deleteConnection() names the connection by what the kernel listed of it', t => {
  const listed = bodyOf(reply('conntrack -L -f ipv4 -p udp --orig-port-dst 53'))
  const sent = splitReplies(encodeRequest(deleteConnection(shown('ipv4')!), 1))[0]!
  t.match(sent, { type: 0x102, flags: 5 })
  t.equal(sent.body.subarray(0, 4).toHex(), '02000000')
  const [before, after] = [listed, sent.body].map(body => parseAttrs(body.subarray(4)))
  t.same([...after!.keys()], [1, 12], 'addresses and id')
  for (const [type, payload] of after!) t.same(payload, before!.get(type))
  t.end()
})

t.test('tailOf() is the same for addresses that end alike', t => {
  t.equal(tailOf(ip('10.1.0.5')), 0x0a010005)
  t.equal(tailOf(ip('fd00::a01:5')), 0x0a010005)
  t.equal(tailOf(ip('255.255.255.255')), 0xffffffff)
  t.end()
})

/** A connection of a family with these attributes. */
const connection = (af: number, ...attrs: readonly Attr[]): Connection | undefined =>
  parseConnection(bodyOf(encodeRequest({ type: 0x100, flags: 0, header: header(af), attrs }, 1)))

const from: Attr = [1, Uint8Array.of(10, 1, 0, 5)]
const to: Attr = [2, Uint8Array.of(10, 1, 0, 6)]
const icmp: Attr = [2, [[1, Uint8Array.of(1)]]]
const original: Attr = [1, [[1, [from, to]], icmp]]
const back: Attr = [2, [[1, [from, to]], icmp]]

t.test('parseConnection() knows no ports where there are none', t => {
  const ends = {
    source: ip('10.1.0.5'),
    destination: ip('10.1.0.6'),
    sourcePort: undefined,
    destinationPort: undefined,
  }
  const { identity, ...rest } = connection(2, original, back)!
  t.same(rest, { family: IPV4, protocol: 1, original: ends, reply: ends })
  t.same(
    identity.map(([type]) => type),
    [1],
  )
  t.end()
})

t.test('parseConnection() keeps the zone, in which the connection has to be looked for', t => {
  const zone: Attr = [18, Uint8Array.of(0, 7)]
  t.same(connection(2, original, back, zone)?.identity.at(-1), zone)
  t.end()
})

t.test('parseConnection() passes over what it cannot read', t => {
  t.equal(connection(2, original), undefined, 'no reply')
  t.equal(connection(2, back), undefined, 'no original')
  t.equal(connection(2, [1, [[1, [from]], icmp]], back), undefined, 'no destination')
  t.equal(connection(2, [1, [[1, [to]], icmp]], back), undefined, 'no source')
  t.equal(connection(2, [1, [[1, [from, to]]]], back), undefined, 'no protocol')
  t.equal(connection(7, original, back), undefined, 'another family')
  t.end()
})

t.test('mayBeOf() finds what is from one of some addresses, in either direction', t => {
  const none = new Set<number>()
  const tails = (address: string): ReadonlySet<number> =>
    new Set([tailOf(ip('203.0.113.1')), tailOf(ip(address))])
  for (const [family, own, other] of [
    ['ipv4', '127.0.0.1', '127.0.0.2'],
    ['ipv6', '::1', '::2'],
  ] as const) {
    const body = bodyOf(reply(`conntrack -L -f ${family} -p udp --orig-port-dst 53`))
    t.equal(mayBeOf(body, tails(own), none), true)
    t.equal(mayBeOf(body, none, tails(own)), true)
    t.equal(mayBeOf(body, tails(other), tails(other)), false)
    t.equal(mayBeOf(body, none, none), false)
  }
  const mine = bodyOf(encodeRequest({ type: 0x100, flags: 0, header: header(2), attrs: [original, back] }, 1))
  t.equal(mayBeOf(mine, tails('10.1.0.5'), none), true)
  t.equal(mayBeOf(mine, tails('10.1.0.6'), tails('10.1.0.6')), false, 'a destination')
  t.equal(mayBeOf(Uint8Array.of(2, 0, 0, 0), tails('10.1.0.5'), tails('10.1.0.5')), false, 'nothing listed')
  t.end()
})
