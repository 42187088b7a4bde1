import t from 'tap'
import { joined, reply } from '../../../test/support/netlink.ts'
import { encodeRequest, type Reply, splitReplies } from './message.ts'
import { bindLog, type LoggedPacket, parseLogged } from './nflog.ts'

const told = (key: string): LoggedPacket | undefined => parseLogged(splitReplies(reply(key))[0]!)

t.test('bindLog() asks for the first bytes of a group', async t => {
  const expected =
    '30000000 0104 0500 01000000 00000000 00 00 0075 0500010001000000 0a0002000000008002000000 080004000000000a'
  t.equal(encodeRequest(bindLog(117, 128), 1).toHex(), joined(expected))
})

t.test('parseLogged() reads what the kernel tells of a packet', async t => {
  const syn = told('log prefix "ingress" group 117: a SYN')!
  t.equal(syn.prefix, 'ingress')
  t.equal(syn.payload.length, 60)
  t.equal(syn.payload.subarray(0, 4).toHex(), '4500003c')
  const ping = told('log prefix "egress" group 117: a ping -6')!
  t.equal(ping.prefix, 'egress')
  t.equal(ping.payload.length, 104)
  t.equal(ping.payload.subarray(0, 4).toHex(), '600a2b13')
})

const message = (type: number, body: string): Reply => ({
  type,
  flags: 0,
  sequence: 0,
  body: Uint8Array.fromHex(joined(body)),
})

t.test('parseLogged() takes a rule without a prefix, and nothing that is no packet', async t => {
  t.same(parseLogged(message(0x400, '02000075 0500090045000000')), {
    prefix: '',
    payload: Uint8Array.of(0x45),
  })
  t.equal(parseLogged(message(0x400, '02000075')), undefined, 'only of its meta data')
  t.equal(parseLogged(message(3, '00000000')), undefined, 'the end of several')
})
