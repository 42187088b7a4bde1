import fc from 'fast-check'
import t from 'tap'
import { attachment, network } from '../../test/support/wish.ts'
import { type Attachment, parseIfName } from '../spec/environment.ts'
import { type Mac, parseMac } from './mac.ts'
import {
  aliasOf,
  attachmentIfb,
  attachmentPair,
  containerMac,
  hostVethName,
  ifbName,
  networkOfAlias,
  networkTag,
  vlanPair,
} from './names.ts'

const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,300}$/)
const ifname = fc.constantFrom('eth0', 'a', 'fifteen-letters', 'ねこねこね')
const anyAttachment: fc.Arbitrary<Attachment> = fc.tuple(name, ifname).map(names => attachment(...names))

t.test('attachmentPair() is known from the attachment alone', t => {
  t.same(attachmentPair(attachment('c1', 'eth0')), {
    name: 'vethd72e032fedd',
    mac: 'ae:0e:6a:a0:79:21',
    peerMac: 'f2:12:50:b1:84:5e',
  })
  t.equal(hostVethName(attachment('c1', 'eth0')), 'vethd72e032fedd')
  t.end()
})

t.test('containerMac() is what is asked for, or the attachment’s own', t => {
  const eth0 = attachment('c1', 'eth0')
  t.equal(containerMac('02:00:00:00:00:09' as Mac, eth0), '02:00:00:00:00:09')
  t.equal(containerMac(undefined, eth0), attachmentPair(eth0).peerMac)
  t.end()
})

t.test('attachmentPair() makes names that the kernel takes and local unicast addresses', t => {
  fc.assert(
    fc.property(anyAttachment, attachment => {
      const { name, mac, peerMac } = attachmentPair(attachment)
      const isLocal = (text: string): boolean => (Number.parseInt(text.slice(0, 2), 16) & 3) === 2
      return (
        parseIfName(name, '').length === 15 &&
        [mac, peerMac].every(address => parseMac(address) === address && isLocal(address)) &&
        mac !== peerMac
      )
    }),
  )
  t.end()
})

t.test('attachmentPair() tells containers and their interfaces apart, and VLAN pairs from both', t => {
  const pairs = [
    attachmentPair(attachment('c1', 'eth0')),
    attachmentPair(attachment('c1', 'eth1')),
    attachmentPair(attachment('c2', 'eth0')),
    vlanPair(parseIfName('cbr0.5', '')),
    vlanPair(parseIfName('cbr0.6', '')),
  ]
  t.equal(new Set(pairs.flatMap(({ name, mac, peerMac }) => [name, mac, peerMac])).size, 15)
  t.end()
})

t.test('attachmentIfb() has the digits of the host veth, and a MAC of its own', t => {
  t.same(attachmentIfb(attachment('c1', 'eth0')), { name: 'bwpd72e032fedd', mac: '3a:31:8c:32:90:c7' })
  fc.assert(
    fc.property(anyAttachment, attachment => {
      const [pair, ifb] = [attachmentPair(attachment), attachmentIfb(attachment)]
      return (
        ifb.name === ifbName(pair.name) &&
        parseIfName(ifb.name, '').length === 14 &&
        parseMac(ifb.mac) === ifb.mac &&
        ifb.mac !== pair.mac &&
        ifb.mac !== pair.peerMac
      )
    }),
  )
  t.end()
})

t.test('networkTag() keeps a short name and hashes a long one', t => {
  const tag = (name: string): string => networkTag(network({ name }).name)
  t.equal(tag('n'.repeat(64)), 'n'.repeat(64))
  t.match(tag('n'.repeat(65)), /^[0-9a-f]{40}$/)
  t.not(tag('n'.repeat(65)), tag('n'.repeat(66)))
  t.end()
})

t.test('aliasOf() says whose link it is', t => {
  const alias = aliasOf(network().name, attachment('c1', 'eth0'))
  t.equal(alias, 'podwire pods c1 eth0')
  t.equal(networkOfAlias(alias), 'pods')
  t.end()
})

t.test('networkOfAlias() reads back what aliasOf() fitted into the kernel’s 255 bytes and a NUL', t => {
  fc.assert(
    fc.property(name, anyAttachment, (text, attachment) => {
      const { name } = network({ name: text })
      const alias = aliasOf(name, attachment)
      return Buffer.byteLength(alias) <= 254 && networkOfAlias(alias) === networkTag(name)
    }),
  )
  t.end()
})

t.test('networkOfAlias() knows no other alias', t => {
  for (const alias of [undefined, '', 'uplink', 'podwire', 'my podwire pods c1 eth0', 'podwire pods'])
    t.equal(networkOfAlias(alias), undefined, `"${alias}"`)
  t.end()
})
