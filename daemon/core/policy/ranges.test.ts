import fc from 'fast-check'
import t from 'tap'
import { cidr, ip } from '../../../test/support/result.ts'
import { contains, type Family, IPV4, IPV6 } from '../../../ipam/core/ip.ts'
import type { Peer } from './network-policy.ts'
import { blocksOf, formatRange, inRanges, isWhole, mergePorts, rangesOf } from './ranges.ts'

const block = (network: string, ...except: readonly string[]): Peer => ({
  kind: 'block',
  cidr: cidr(network),
  except: except.map(cidr),
})
const texts = (family: Family, ...peers: readonly Peer[]): string[] =>
  blocksOf(peers, family).map(formatRange)

t.test('blocksOf() cuts the exceptions out of each block', async t => {
  t.same(texts(IPV4, block('10.0.0.0/24', '10.0.0.0/26')), ['10.0.0.64-10.0.0.255'])
  t.same(texts(IPV4, block('10.0.0.0/24', '10.0.0.128/25')), ['10.0.0.0/25'])
  t.same(texts(IPV4, block('10.0.0.0/30', '10.0.0.1/32')), ['10.0.0.0', '10.0.0.2/31'])
  t.same(texts(IPV4, block('10.0.0.0/24', '10.0.0.0/8')), [])
  t.same(texts(IPV4, block('10.0.0.0/24', '10.9.0.0/24', 'fd00::/8')), ['10.0.0.0/24'])
  t.same(texts(IPV6, block('fd00::/8', 'fd00::/9')), ['fd80::/9'])
})

t.test('blocksOf() cuts out thousands of exceptions in whatever order', async t => {
  const hosts = Array.from({ length: 20_000 }, (_, i) => ((i * 7919) % 20_000) * 2 + 1)
  const except = hosts.map(host => `10.0.${host >> 8}.${host & 255}/32`)
  const left = texts(IPV4, block('10.0.0.0/16', ...except))
  t.equal(left.length, 20_001)
  t.same(
    [...left.slice(0, 2), ...left.slice(-2)],
    ['10.0.0.0', '10.0.0.2', '10.0.156.62', '10.0.156.64-10.0.255.255'],
  )
})

t.test('blocksOf() joins blocks that overlap or are neighbours', async t => {
  t.same(
    texts(
      IPV4,
      block('10.0.1.0/24'),
      block('10.0.0.0/24'),
      block('10.0.0.0/8', '10.0.0.0/16'),
      block('fd00::/8'),
    ),
    ['10.0.0.0/23', '10.1.0.0-10.255.255.255'],
  )
  t.same(texts(IPV4, block('10.0.0.0/8'), block('10.1.0.0/16')), ['10.0.0.0/8'])
  t.same(rangesOf(IPV6, [cidr('fd00:2::/64'), cidr('10.0.0.0/8'), cidr('fd00:1::/64')]).map(formatRange), [
    'fd00:1::/64',
    'fd00:2::/64',
  ])
})

t.test('isWhole() knows the range of every address', async t => {
  t.equal(blocksOf([block('0.0.0.0/1'), block('128.0.0.0/1')], IPV4).some(isWhole), true)
  t.equal(blocksOf([block('0.0.0.0/0', '255.255.255.255/32')], IPV4).some(isWhole), false)
  t.equal(blocksOf([block('::/0', '::/128')], IPV6).some(isWhole), false)
})

t.test('mergePorts() joins ranges of ports', async t => {
  t.same(
    mergePorts([
      [90, 99],
      [80, 80],
      [81, 85],
      [95, 96],
    ]),
    [
      [80, 85],
      [90, 99],
    ],
  )
})

t.test('an address is in the ranges exactly when it is in a block and in none of its exceptions', async t => {
  const network = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 24, max: 32 }))
    .map(([host, prefix]) => cidr(`10.0.0.${host}/${prefix}`))
  const blocks = fc.array(
    fc.record({
      kind: fc.constant('block' as const),
      cidr: network,
      except: fc.array(network, { maxLength: 9 }),
    }),
    { maxLength: 3 },
  )
  fc.assert(
    fc.property(blocks, fc.integer({ min: 0, max: 255 }), (peers, host) => {
      const address = ip(`10.0.0.${host}`)
      const isIn = peers.some(
        peer => contains(peer.cidr, address) && !peer.except.some(each => contains(each, address)),
      )
      return inRanges(blocksOf(peers, IPV4), address) === isIn
    }),
  )
  t.pass()
})
