import t from 'tap'
import { formatCidr } from '../../ipam/core/ip.ts'
import { addresses, attachment, config, network } from '../../test/support/wish.ts'
import type { AttachmentCall } from '../spec/plugin.ts'
import type { JsonObject } from '../spec/read.ts'
import { EMPTY_RESULT, type Result } from '../spec/result.ts'
import { describe, type Made } from './describe.ts'
import { attachmentIfb, attachmentPair } from './names.ts'
import { parseLink } from './netlink/link.ts'
import { splitReplies } from './netlink/message.ts'
import { reply } from '../../test/support/netlink.ts'

const BRIDGE = parseLink(splitReplies(reply('ip link show cbr0'))[0]!.body)
const ATTACHMENT = attachment('c1', 'eth0')
const PAIR = attachmentPair(ATTACHMENT)

/** The result of an ADD with these keys. */
function add(keys: JsonObject, ipam: Result, made: Made = { mtu: 1400, bridge: BRIDGE }): Result {
  const call = { config: network(keys), attachment: ATTACHMENT, netns: '/run/netns/c1' } as AttachmentCall
  return describe(call, config(keys), ipam, made)
}
const IPAM = { ipam: { type: 'podwire-ipam' } }

t.test('describe() names bridge, host veth and container interface in this order', t => {
  t.strictSame(add({}, EMPTY_RESULT).interfaces, [
    { name: 'cbr0', mac: '02:00:00:00:00:01', mtu: 1400 },
    { name: PAIR.name, mac: PAIR.mac, mtu: 1400 },
    { name: 'eth0', mac: PAIR.peerMac, mtu: 1400, sandbox: '/run/netns/c1' },
  ])
  t.end()
})

t.test('describe() tells the MAC that was asked for', t => {
  t.equal(
    add({ runtimeConfig: { mac: '02:00:00:00:00:09' } }, EMPTY_RESULT).interfaces[2]?.mac,
    '02:00:00:00:00:09',
  )
  t.end()
})

t.test('describe() tells of the ifb device of a limited egress', t => {
  t.strictSame(add({ ingressRate: 8, ingressBurst: 8 }, EMPTY_RESULT).interfaces.length, 3)
  t.strictSame(add({ egressRate: 8, egressBurst: 8 }, EMPTY_RESULT).interfaces[3], {
    ...attachmentIfb(attachment('c1', 'eth0')),
    mtu: 1400,
  })
  t.end()
})

t.test('describe() makes up nothing about a bridge that is gone again', t => {
  t.strictSame(add({}, EMPTY_RESULT, { mtu: 1400, bridge: undefined }).interfaces[0], {
    name: 'cbr0',
    mtu: 1400,
  })
  t.end()
})

t.test('describe() puts the addresses on the container interface, in l3 each alone', t => {
  const ipam = addresses('10.1.0.5/24', 'fd00::5/64')
  const shown = (keys: JsonObject) =>
    add({ ...IPAM, ...keys }, ipam).ips.map(ip => [formatCidr(ip.address), ip.interface])
  t.strictSame(shown({}), [
    ['10.1.0.5/24', 2],
    ['fd00::5/64', 2],
  ])
  t.strictSame(shown({ mode: 'l3' }), [
    ['10.1.0.5/32', 2],
    ['fd00::5/128', 2],
  ])
  t.equal(add(IPAM, ipam).routes, ipam.routes)
  t.end()
})

t.test('describe() takes the dns of the config, and without one that of the address plugin', t => {
  const ipam = { ...EMPTY_RESULT, dns: { nameservers: ['10.1.0.1'], domain: 'example.org' } }
  t.strictSame(add({}, ipam).dns, ipam.dns)
  t.strictSame(add({ dns: {} }, ipam).dns, ipam.dns)
  t.strictSame(add({ dns: { domain: '' } }, ipam).dns, ipam.dns, 'empty is none')
  const dns = { nameservers: ['10.9.0.1'], search: ['a'], options: ['ndots:5'], domain: 'example.com' }
  t.strictSame(add({ dns }, ipam).dns, dns)
  t.strictSame(add({ dns: { domain: 'example.com' } }, ipam).dns, { domain: 'example.com' })
  t.end()
})
