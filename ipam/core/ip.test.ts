import { isIP } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import {
  addTo,
  bytesOf,
  contains,
  FAMILIES,
  type Family,
  formatCidr,
  formatIp,
  fromBytes,
  type Ip,
  IPV4,
  IPV6,
  lastOf,
  networkOf,
  overlaps,
  parseCidr,
  parseIp,
  sameIp,
} from './ip.ts'

const mapped = (ip: Ip): boolean => ip.family === IPV6 && ip.value >> 32n === 0xffffn

// Zero groups are drawn often, for they are what RFC 5952 shortens.
const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff }))
const ipv6 = fc
  .array(group, { minLength: 8, maxLength: 8 })
  .map(groups =>
    fromBytes(
      IPV6,
      groups.flatMap(g => [g >> 8, g & 0xff]),
    ),
  )
  .filter(ip => !mapped(ip))
const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(bytes => fromBytes(IPV4, bytes))
const anyIp = fc.oneof(ipv4, ipv6)
const anyCidr = anyIp.chain(ip => fc.integer({ min: 0, max: ip.family.bits }).map(prefix => ({ ip, prefix })))

/** The rule of RFC 5952, which Go's net.IP.String() follows too: the first of the longest runs of two zero groups or more. */
function shorten(ip: Ip): string {
  const groups = Array.from({ length: 8 }, (_, i) =>
    Number((ip.value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  )
  let best = { at: -1, length: 1 }
  for (let at = 0; at < 8; at += 1) {
    let length = 0
    while (groups[at + length] === '0') length += 1
    if (length > best.length) best = { at, length }
  }
  if (best.at < 0) return groups.join(':')
  return `${groups.slice(0, best.at).join(':')}::${groups.slice(best.at + best.length).join(':')}`
}

t.test('parseIp() takes exactly what node:net takes, zones aside', t => {
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4Extended(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdfF:.%x[ ]/-\n'), maxLength: 24 }),
    fc
      .tuple(fc.ipV6(), fc.nat(40), fc.constantFrom(...'01fF:.%'))
      .map(([text, at, c]) => text.slice(0, at) + c + text.slice(at + 1)),
    fc
      .tuple(fc.ipV4(), fc.nat(15), fc.constantFrom(...'0159.:'))
      .map(([text, at, c]) => text.slice(0, at) + c + text.slice(at)),
    fc
      .tuple(fc.constantFrom('::', '::ffff:', '1:2:3:4:5:6:', '1::2:', '1:2:3:4:5:6:7:'), fc.ipV4Extended())
      .map(parts => parts.join('')),
  )
  fc.assert(
    fc.property(texts, text => (parseIp(text) !== undefined) === (isIP(text) !== 0 && !text.includes('%'))),
    { numRuns: 5000 },
  )
  t.end()
})

t.test('parseIp() reads back what formatIp() writes', t => {
  fc.assert(fc.property(anyIp, ip => sameIp(parseIp(formatIp(ip))!, ip)))
  t.end()
})

t.test('formatIp() writes the text of RFC 5952', t => {
  fc.assert(fc.property(ipv6, ip => formatIp(ip) === shorten(ip)))
  t.end()
})

t.test('parseIp() and formatIp() give the text of Go net.IP.String()', t => {
  const spellings = [
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:1', '10.0.0.1'],
    ['::10.0.0.1', '::a00:1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['FD00:0:0:0:0:0:0:00A', 'fd00::a'],
    ['1:0:2:0:3:0:4:0', '1:0:2:0:3:0:4:0'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['0:0:1:0:0:1:0:0', '::1:0:0:1:0:0'],
    ['0:0:0:0:0:0:0:0', '::'],
  ] as const
  for (const [text, go] of spellings) t.equal(formatIp(parseIp(text)!), go, text)
  t.end()
})

t.test('parseIp() refuses spellings that tools read differently', t => {
  const texts = [
    '010.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '::ffff:010.0.0.1',
    'fe80::1%eth0',
    '[::1]',
    ' ::1',
    '',
  ]
  for (const text of texts) t.equal(parseIp(text), undefined, text)
  t.end()
})

t.test('parseCidr() reads back what formatCidr() writes', t => {
  fc.assert(
    fc.property(anyCidr, cidr => {
      const read = parseCidr(formatCidr(cidr))!
      return sameIp(read.ip, cidr.ip) && read.prefix === cidr.prefix
    }),
  )
  t.end()
})

t.test('parseCidr() refuses what is no address with a prefix of its family', t => {
  const texts = [
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '::/129',
    '/24',
    '10.0.0.0/24/8',
    '10.0.0.0/+8',
    '::ffff:10.0.0.0/24',
  ]
  for (const text of texts) t.equal(parseCidr(text), undefined, text)
  t.end()
})

t.test('fromBytes() reads back what bytesOf() writes', t => {
  fc.assert(fc.property(anyIp, ip => sameIp(fromBytes(ip.family, bytesOf(ip)), ip)))
  t.end()
})

t.test('a network contains its first and last address and nothing beyond', t => {
  fc.assert(
    fc.property(anyCidr, cidr => {
      const [first, last] = [networkOf(cidr).ip, lastOf(cidr)]
      const [before, after] = [addTo(first, -1n), addTo(last, 1n)]
      t.ok(contains(cidr, first) && contains(cidr, last) && contains(cidr, cidr.ip))
      t.notOk((before && contains(cidr, before)) || (after && contains(cidr, after)))
      t.equal(last.value - first.value, (1n << BigInt(cidr.ip.family.bits - cidr.prefix)) - 1n)
    }),
  )
  t.end()
})

t.test('overlaps() is whether two networks share an address, in either order', t => {
  const near = fc.constantFrom<Family>(...FAMILIES).chain(family =>
    fc.tuple(fc.nat(255), fc.integer({ min: family.bits - 8, max: family.bits })).map(([low, prefix]) => ({
      ip: { family, value: BigInt(low) },
      prefix,
    })),
  )
  fc.assert(
    fc.property(near, near, (a, b) => {
      const all = Array.from({ length: 256 }, (_, i) => ({ family: a.ip.family, value: BigInt(i) }))
      const shared = all.some(ip => contains(a, ip) && contains(b, ip))
      return overlaps(a, b) === shared && overlaps(b, a) === shared
    }),
  )
  t.end()
})

t.test('addTo() ends at both ends of a family', t => {
  for (const family of FAMILIES) {
    const first = { family, value: 0n }
    const last = { family, value: (1n << BigInt(family.bits)) - 1n }
    t.equal(addTo(first, -1n), undefined)
    t.equal(addTo(last, 1n), undefined)
    t.same(addTo(first, 5n), { family, value: 5n })
  }
  t.notOk(sameIp({ family: IPV4, value: 1n }, { family: IPV6, value: 1n }))
  t.end()
})
