import fc from 'fast-check'
import t from 'tap'
import { cidr } from '../../test/support/result.ts'
import { contains, FAMILIES, formatCidr, networkOf, overlaps } from '../../ipam/core/ip.ts'
import { outermost } from './networks.ts'

const keptOf = (...texts: string[]): string[] => [
  ...outermost(texts.map(text => [text, cidr(text)] as const)).keys(),
]

t.test('outermost() drops networks that lie in others, and what is there twice', async t => {
  t.same(keptOf('10.1.0.0/24', '10.0.0.0/8', '10.0.0.0/16', '10.0.0.0/8', '11.0.0.0/8'), [
    '10.0.0.0/8',
    '11.0.0.0/8',
  ])
  t.same(keptOf('fd00::/64', 'fd00::/48', '::/1', '8000::/1'), ['::/1', '8000::/1'])
  t.same(keptOf('10.0.0.0/8', '0.0.0.0/0'), ['0.0.0.0/0'])
})

t.test('outermost() keeps neighbours apart', async t => {
  t.same(keptOf('10.0.1.0/24', '10.0.0.0/24'), ['10.0.0.0/24', '10.0.1.0/24'])
})

t.test('outermost() of any networks overlap nowhere and hold them all', t => {
  // Few bits that differ, so that networks often lie in each other.
  const networks = fc.constantFrom(...FAMILIES).chain(family =>
    fc.array(
      fc.tuple(fc.bigInt({ min: 0n, max: 255n }), fc.integer({ min: 0, max: 8 })).map(([bits, length]) => {
        const value = bits << BigInt(family.bits - 8)
        return networkOf({ ip: { family, value }, prefix: length })
      }),
    ),
  )
  fc.assert(
    fc.property(networks, networks => {
      const kept = [...outermost(networks.map(network => [formatCidr(network), network] as const)).values()]
      return (
        networks.every(network =>
          kept.some(other => other.prefix <= network.prefix && contains(other, network.ip)),
        ) && kept.every((one, i) => kept.every((other, j) => i === j || !overlaps(one, other)))
      )
    }),
  )
  t.end()
})
