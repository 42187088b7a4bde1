import fc from 'fast-check'
import t from 'tap'
import { joined, reply, request } from '../../../test/support/netlink.ts'
import { type Mac, parseMac } from '../mac.ts'
import { attrList, parseAttrs, readText } from './attr.ts'
import {
  addBridge,
  addIfb,
  addVeth,
  delLink,
  delLinkGroup,
  dumpLinks,
  getLink,
  getLinkByIndex,
  type Link,
  parseLink,
  setLink,
} from './link.ts'
import { changeVlan, setForwarding, setPort } from './port.ts'
import { IFF } from './link-header.ts'
import { encodeRequest, FLAG, type Request, splitReplies, TYPE } from './message.ts'

const shown = (command: string): Link => parseLink(splitReplies(reply(command))[0]!.body)
const mac = (text: string): Mac => parseMac(text) as Mac
const bytes = (request: Request): string => encodeRequest(request, 1).toHex()
const linkOf = (message: Request | Uint8Array): Link =>
  parseLink(splitReplies(message instanceof Uint8Array ? message : encodeRequest(message, 1))[0]!.body)

/** A request's fixed part, and its attributes by type: their order is the sender's. */
const parts = (message: Uint8Array) => {
  const { type, flags, body } = splitReplies(message)[0]!
  return { type, flags, header: body.subarray(0, 16), attrs: parseAttrs(body.subarray(16)) }
}

t.test('parseLink() reads a port of a bridge as the kernel shows it', t => {
  t.strictSame(shown('ip link show veth0'), {
    index: 4,
    name: 'veth0',
    flags: 0x11043,
    mac: '02:00:00:00:00:01',
    mtu: 1400,
    kind: 'veth',
    alias: 'podwire pods c1 eth0',
    master: 2,
    peer: 3,
    hairpin: true,
    isolated: true,
    locked: false,
    vlanFiltering: false,
  })
  t.end()
})

t.test('parseLink() reads a bridge, which is nobody’s port', t => {
  t.match(shown('ip link show cbr0'), {
    name: 'cbr0',
    mtu: 1400,
    kind: 'bridge',
    alias: undefined,
    master: undefined,
    peer: undefined,
    hairpin: false,
    isolated: false,
    locked: undefined,
  })
  t.ok((shown('ip link show cbr0').flags & IFF.up) !== 0)
  t.end()
})

t.test('parseLink() reads a veth’s other end', t => {
  t.match(shown('ip link show eth0'), {
    index: 3,
    name: 'eth0',
    mac: '02:00:00:00:00:02',
    kind: 'veth',
    peer: 4,
  })
  t.end()
})

t.test('parseLink() takes a link of which the kernel says nothing', t => {
  t.match(parseLink(new Uint8Array(16)), { index: 0, name: '', mac: undefined, mtu: 0, kind: undefined })
  t.end()
})

t.test('parseLink() passes over an address that is not Ethernet’s, and a port of something else', t => {
  const body = new Uint8Array([
    ...new Uint8Array(16),
    ...attrs([
      [1, '0a000001'],
      [18, attrs([[4, '626f6e6400']]).toHex()],
    ]),
  ])
  t.match(parseLink(body), { mac: undefined, hairpin: false, isolated: false })
  const bare = new Uint8Array([
    ...new Uint8Array(16),
    ...attrs([[18, attrs([[4, '62726964676500']]).toHex()]]),
  ])
  t.match(parseLink(bare), { hairpin: false, isolated: false, locked: undefined }, 'a port without data')
  t.end()
})

/** Attributes of hex payloads. */
function attrs(list: readonly (readonly [number, string])[]): Uint8Array {
  return Uint8Array.from(
    list.flatMap(([type, hex]) => {
      const padding = new Uint8Array((4 - ((hex.length / 2) % 4)) % 4)
      return [4 + hex.length / 2, 0, type, 0, ...Uint8Array.fromHex(hex), ...padding]
    }),
  )
}

t.test('parseLink() never reads past a body, whatever its attributes are', t => {
  const body = fc.uint8Array({ minLength: 16, maxLength: 300 })
  fc.assert(fc.property(body, body => typeof parseLink(body).name === 'string'))
  t.end()
})

t.test('getLink() and its kin ask for one link or all', t => {
  t.equal(
    bytes(getLink('cbr0')),
    joined(`2c000000 12000100 01000000 00000000 ${'00'.repeat(16)} 09000300 63627230 00000000`),
  )
  t.match(getLinkByIndex(5), { type: TYPE.getLink, flags: 0, attrs: [] })
  t.equal(Buffer.from(getLinkByIndex(5).header).readInt32LE(4), 5)
  t.match(dumpLinks(), { type: TYPE.getLink, flags: FLAG.dump, attrs: [] })
  t.equal(bytes(dumpLinks(2)).slice(-16), '08000a0002000000')
  t.end()
})

t.test('addBridge() asks as `ip link add` does', t => {
  const ours = parts(encodeRequest(addBridge('cbr0', 1400, false), 1))
  const theirs = parts(request('ip link add cbr0 mtu 1400 type bridge'))
  t.match(ours, { type: theirs.type, flags: theirs.flags, header: theirs.header })
  t.match(linkOf(addBridge('cbr0', 1400, false)), { name: 'cbr0', mtu: 1400, kind: 'bridge' })
  t.match(linkOf(addBridge('cbr0', undefined, true)), { name: 'cbr0', mtu: 0, kind: 'bridge' })
  const filtering = joined('0c000280 05000700 01000000')
  t.ok(bytes(addBridge('cbr0', undefined, true)).endsWith(filtering))
  t.notOk(bytes(addBridge('cbr0', undefined, false)).includes(filtering))
  t.end()
})

t.test('addIfb() asks as `ip link add` does', t => {
  const command = 'ip link add bwp0 address 02:00:00:00:00:03 mtu 1400 type ifb'
  const ours = parts(encodeRequest(addIfb('bwp0', mac('02:00:00:00:00:03'), 1400), 1))
  const theirs = parts(request(command))
  t.same({ ...ours, attrs: undefined }, { ...theirs, attrs: undefined })
  t.match(linkOf(addIfb('bwp0', mac('02:00:00:00:00:03'), 1400)), {
    name: 'bwp0',
    mac: '02:00:00:00:00:03',
    mtu: 1400,
    kind: 'ifb',
  })
  t.end()
})

/** The peer that a request for a veth pair describes, and the namespace's file descriptor. */
function peerOf(message: Uint8Array) {
  const info = parseAttrs(parts(message).attrs.get(18)!)
  const [[type, body]] = attrList(info.get(2)!) as [[number, Uint8Array]]
  return {
    type,
    kind: readText(info.get(1)),
    link: parseLink(body),
    netnsFd: parseAttrs(body.subarray(16)).get(28),
  }
}

t.test('addVeth() asks as `ip link add` does', t => {
  const command =
    'ip link add veth0 address 02:00:00:00:00:01 mtu 1400 master cbr0 type veth peer name eth0 address 02:00:00:00:00:02 mtu 1400'
  const host = { name: 'veth0', mac: mac('02:00:00:00:00:01') }
  const peer = { name: 'eth0', mac: mac('02:00:00:00:00:02') }
  const ours = encodeRequest(addVeth(host, peer, 1400, 2, undefined), 1)
  const theirs = request(command)
  t.match(parts(ours), { type: parts(theirs).type, flags: parts(theirs).flags, header: parts(theirs).header })
  t.strictSame(linkOf(ours), linkOf(theirs))
  t.strictSame(peerOf(ours), peerOf(theirs))
  t.match(peerOf(ours), {
    type: 1,
    kind: 'veth',
    link: { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1400 },
  })
  const inNetns = peerOf(encodeRequest(addVeth(host, peer, 1400, 2, 9), 1))
  t.same(inNetns.netnsFd, Uint8Array.of(9, 0, 0, 0))
  t.end()
})

t.test('setLink() asks as `ip link set` does', t => {
  const up = parts(request('ip link set cbr0 up promisc on'))
  const ours = setLink('cbr0', { up: true, promisc: true })
  // By name where ip says the index; flags and mask are the same.
  t.same(ours.header.subarray(8), up.header.subarray(8))
  t.same(setLink('cbr0', { up: true }).header.subarray(8), Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0))
  t.same(setLink('cbr0', {}).header, new Uint8Array(16))
  const alias = 'podwire pods c1 eth0'
  t.equal(linkOf(request('ip link set veth0 alias "podwire pods c1 eth0"')).alias, alias)
  t.match(linkOf(setLink('veth0', { alias, mac: mac('02:00:00:00:00:09') })), {
    name: 'veth0',
    alias,
    mac: '02:00:00:00:00:09',
  })
  t.end()
})

t.test('delLink() asks by name', t => {
  const { type, attrs } = parts(encodeRequest(delLink('veth0'), 1))
  t.equal(type, TYPE.delLink)
  t.equal(readText(attrs.get(3)), 'veth0')
  t.end()
})

t.test('delLinkGroup() asks by the group that setLink() put links into', t => {
  const { type, attrs } = parts(encodeRequest(delLinkGroup(0x706f6477), 1))
  t.equal(type, TYPE.delLink)
  t.same([...attrs], [[27, Uint8Array.of(0x77, 0x64, 0x6f, 0x70)]])
  const marked = parts(encodeRequest(setLink('veth0', { group: 0x706f6477 }), 1))
  t.same(marked.attrs.get(27), attrs.get(27))
  t.end()
})

t.test('setPort() and setForwarding() send what `bridge link set` sends', t => {
  const port = request('bridge link set dev veth0 hairpin on isolated on')
  const change = { hairpin: true, isolated: true }
  t.equal(bytes(setPort(4, change)), port.toHex())
  t.equal(bytes(setPort(4, { ...change, locked: false })), port.toHex(), 'one that is locked stays so')
  t.equal(bytes(setPort(4, { ...change, hairpin: false })), port.toHex().replace('0500040001', '0500040000'))
  t.equal(bytes(setPort(4, { ...change, isolated: false })), port.toHex().replace('0500210001', '0500210000'))
  t.equal(
    bytes(setPort(4, { ...change, locked: true })),
    request('bridge link set dev veth0 hairpin on isolated on learning off flood off locked on').toHex(),
  )
  t.equal(bytes(setForwarding(4)), request('bridge link set dev veth0 state 3').toHex())
  t.end()
})

t.test('changeVlan() asks as `bridge vlan add` does', t => {
  for (const [command, range] of [
    ['bridge vlan add dev veth0 vid 10-20', { min: 10, max: 20, access: false }],
    ['bridge vlan add dev veth0 vid 5 pvid untagged', { min: 5, max: 5, access: true }],
  ] as const)
    t.strictSame(parts(encodeRequest(changeVlan('add', 4, range), 1)), parts(request(command)), command)
  t.equal(changeVlan('del', 4, { min: 1, max: 1, access: false }).type, TYPE.delLink)
  t.end()
})
