import t from 'tap'
import { formatCidr, formatIp, IPV4, IPV6 } from '../../ipam/core/ip.ts'
import { cidr, ip } from '../../test/support/result.ts'
import { addresses, config } from '../../test/support/wish.ts'
import type { JsonObject } from '../spec/read.ts'
import type { Result } from '../spec/result.ts'
import { bridgeAddresses, completeGateways, gatewayFor, uniqueBy } from './gateway.ts'

/** The gateways and routes that these keys make of an address plugin's answer, as text. */
function complete(keys: JsonObject, ipam: Result) {
  const { ips, routes } = completeGateways(config(keys), ipam)
  return {
    gateways: ips.map(({ gateway }) => gateway && formatIp(gateway)),
    routes: routes.map(({ dst, gw }) => [formatCidr(dst), gw && formatIp(gw)]),
  }
}
const DUAL = { ...addresses('10.1.0.5/24', 'fd00::5/64'), routes: [] }

t.test('completeGateways() leaves an answer alone when the bridge is no gateway', t => {
  t.same(complete({}, DUAL), { gateways: [undefined, undefined], routes: [] })
  t.end()
})

t.test('completeGateways() takes the first address of each network with isGateway', t => {
  t.same(complete({ isGateway: true }, DUAL), { gateways: ['10.1.0.1', 'fd00::1'], routes: [] })
  t.end()
})

t.test('completeGateways() keeps the gateway that an address came with', t => {
  const ips = [{ address: cidr('10.1.0.5/24'), gateway: ip('10.1.0.254') }]
  t.same(complete({ isGateway: true }, { ...DUAL, ips }).gateways, ['10.1.0.254'])
  t.same(complete({}, { ...DUAL, ips }).gateways, ['10.1.0.254'])
  t.end()
})

t.test('completeGateways() adds a default route for each family with isDefaultGateway', t => {
  t.same(complete({ isDefaultGateway: true }, DUAL), {
    gateways: ['10.1.0.1', 'fd00::1'],
    routes: [
      ['0.0.0.0/0', '10.1.0.1'],
      ['::/0', 'fd00::1'],
    ],
  })
  t.same(complete({ isDefaultGateway: true }, addresses('10.1.0.5/24', '10.2.0.5/24')).routes.length, 2)
  t.end()
})

t.test('completeGateways() adds no default route where the address plugin gave one', t => {
  const routes = [{ dst: cidr('0.0.0.0/0') }, { dst: cidr('fd01::/16') }]
  t.same(complete({ isDefaultGateway: true }, { ...DUAL, routes }).routes, [
    ['0.0.0.0/0', undefined],
    ['fd01::/16', undefined],
    ['::/0', 'fd00::1'],
  ])
  t.end()
})

t.test('completeGateways() refuses a network without room for a gateway', t => {
  const message = /^Cannot derive a gateway for 255\.255\.255\.255\/32: .*set "gateway"/
  t.throws(() => complete({ isGateway: true }, addresses('255.255.255.255/32')), {
    kind: 'invalid-config',
    message,
  })
  t.end()
})

t.test('gatewayFor() answers the first gateway of a family', t => {
  const { ips } = completeGateways(config({ isGateway: true }), addresses('10.1.0.5/24', '10.2.0.5/24'))
  t.equal(formatIp(gatewayFor(IPV4, ips)!), '10.1.0.1')
  t.equal(gatewayFor(IPV6, ips), undefined)
  t.end()
})

t.test('bridgeAddresses() names each gateway once, with its network’s prefix', t => {
  const gateway = ip('10.1.0.1')
  const ips = ['10.1.0.5/24', '10.1.0.6/24', '10.2.0.5/16'].map(text => ({ address: cidr(text) }))
  t.same(bridgeAddresses(ips), [])
  t.same(bridgeAddresses(ips.map(item => ({ ...item, gateway }))).map(formatCidr), [
    '10.1.0.1/24',
    '10.1.0.1/16',
  ])
  t.end()
})

t.test('uniqueBy() keeps the first of each set of equals, in order', t => {
  t.same(
    uniqueBy(['b1', 'a1', 'b2', 'c1', 'a2'], text => text.slice(0, 1)),
    ['b1', 'a1', 'c1'],
  )
  t.end()
})
