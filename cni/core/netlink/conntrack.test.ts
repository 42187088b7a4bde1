import t from 'tap'
import { IPV4, IPV6 } from '../../../ipam/core/ip.ts'
import { joined, reply } from '../../../test/support/netlink.ts'
import { ip } from '../../../test/support/result.ts'
import { type Attr, parseAttrs } from './attr.ts'
import { deleteFlow, dumpUdpFlows, type Flow, parseUdpFlow } from './conntrack.ts'
import { encodeRequest, type Request, splitReplies } from './message.ts'
import { header } from './nfnetlink.ts'

const bodyOf = (message: Uint8Array): Uint8Array => splitReplies(message)[0]!.body
const shown = (family: string): Flow | undefined =>
  parseUdpFlow(bodyOf(reply(`conntrack -L -f ${family} -p udp --orig-port-dst 53`)))
const hex = (request: Request): string => encodeRequest(request, 1).toHex()

t.test('dumpUdpFlows() lets the kernel choose protocol and port', t => {
  t.equal(
    hex(dumpUdpFlows(IPV4, 53)),
    joined(
      '38000000 0101 0103 01000000 00000000 02000000 ' +
        '18000180 14000280 0500010011000000 0600030000350000 0c001980 0800010028000000',
    ),
  )
  t.equal(
    hex(dumpUdpFlows(IPV6)),
    joined(
      '30000000 0101 0103 01000000 00000000 0a000000 10000180 0c000280 0500010011000000 0c001980 0800010008000000',
    ),
  )
  t.end()
})

t.test('parseUdpFlow() reads what the kernel lists', t => {
  t.match(shown('ipv4'), { destination: ip('127.0.0.1'), port: 53 })
  t.match(shown('ipv6'), { destination: ip('::1'), port: 53 })
  t.end()
})

t.test('deleteFlow() names the flow by what the kernel listed of it', t => {
  const listed = bodyOf(reply('conntrack -L -f ipv4 -p udp --orig-port-dst 53'))
  const sent = splitReplies(encodeRequest(deleteFlow(shown('ipv4')!), 1))[0]!
  t.match(sent, { type: 0x102, flags: 5 })
  t.equal(sent.body.subarray(0, 4).toHex(), '02000000')
  const [before, after] = [listed, sent.body].map(body => parseAttrs(body.subarray(4)))
  t.same([...after!.keys()], [1, 12], 'addresses and id')
  for (const [type, payload] of after!) t.same(payload, before!.get(type))
  t.end()
})

/** A flow of a family with these attributes. */
const flow = (af: number, attrs: readonly Attr[]): Flow | undefined =>
  parseUdpFlow(bodyOf(encodeRequest({ type: 0x100, flags: 0, header: header(af), attrs }, 1)))

const protocol = (number: number): Attr => [
  2,
  [
    [1, Uint8Array.of(number)],
    [3, Uint8Array.of(0, 53)],
  ],
]
const to: Attr = [1, [[2, Uint8Array.of(127, 0, 0, 1)]]]

t.test('parseUdpFlow() keeps the zone, in which the flow has to be looked for', t => {
  const zone: Attr = [18, Uint8Array.of(0, 7)]
  t.same(flow(2, [[1, [to, protocol(17)]], zone])?.identity.at(-1), zone)
  t.end()
})

t.test('parseUdpFlow() passes over what is no UDP flow', t => {
  t.ok(flow(2, [[1, [to, protocol(17)]]]))
  t.equal(flow(2, [[1, [to, protocol(6)]]]), undefined, 'TCP')
  t.equal(flow(2, [[1, [protocol(17)]]]), undefined, 'no address')
  t.equal(flow(2, [[1, [to]]]), undefined, 'no port')
  t.equal(flow(7, [[1, [to, protocol(17)]]]), undefined, 'another family')
  t.end()
})
