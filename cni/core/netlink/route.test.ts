import fc from 'fast-check'
import t from 'tap'
import { FAMILIES, formatCidr, formatIp, IPV6 } from '../../../ipam/core/ip.ts'
import { reply, request } from '../../../test/support/netlink.ts'
import { cidr, ip } from '../../../test/support/result.ts'
import { parseAttrs } from './attr.ts'
import { encodeRequest, FLAG, splitReplies, TYPE } from './message.ts'
import {
  addRoute,
  createRoute,
  delRoute,
  dumpRoutes,
  type KernelRoute,
  MAIN_TABLE,
  parseRoute,
  replaceRoute,
  SCOPE,
} from './route.ts'

const parts = (message: Uint8Array) => {
  const { type, flags, body } = splitReplies(message)[0]!
  const attrs = [...parseAttrs(body.subarray(12))].toSorted(([a], [b]) => a - b)
  return { type, flags, header: body.subarray(0, 12), attrs }
}
const PLAIN = {
  gw: undefined,
  index: 3,
  table: MAIN_TABLE,
  scope: SCOPE.universe,
  priority: undefined,
  mtu: undefined,
  advmss: undefined,
}
const show = (route: KernelRoute | undefined) =>
  route && { ...route, dst: formatCidr(route.dst), gw: route.gw && formatIp(route.gw) }

t.test('addRoute() sends what `ip route append` sends', t => {
  const full = {
    ...PLAIN,
    dst: cidr('10.9.0.0/16'),
    gw: ip('10.1.0.1'),
    table: 300,
    priority: 5,
    mtu: 1300,
    advmss: 1260,
  }
  const command = 'ip route append 10.9.0.0/16 via 10.1.0.1 dev eth0 metric 5 table 300 mtu 1300 advmss 1260'
  t.strictSame(parts(encodeRequest(addRoute(full), 1)), parts(request(command)))
  t.end()
})

t.test('addRoute() names the main table twice where ip names it once', t => {
  const ours = parts(encodeRequest(addRoute({ ...PLAIN, dst: cidr('::/0'), gw: ip('fd00::1') }), 1))
  const theirs = parts(request('ip route append ::/0 via fd00::1 dev eth0'))
  t.strictSame({ ...ours, attrs: ours.attrs.filter(([type]) => type !== 15) }, theirs)
  t.end()
})

t.test('addRoute() clears host bits, which the kernel would refuse', t => {
  const [, dst] = addRoute({ ...PLAIN, dst: cidr('10.9.1.2/16') }).attrs[0]!
  t.same(dst, Uint8Array.of(10, 9, 0, 0))
  t.end()
})

t.test('createRoute(), replaceRoute() and delRoute() differ in how, not in what', t => {
  const route = { ...PLAIN, dst: cidr('10.9.0.0/16'), gw: ip('10.1.0.1'), protocol: 117 }
  const [created, replaced, removed] = [createRoute, replaceRoute, delRoute].map(how => how(route))
  t.match(created, { type: TYPE.newRoute, flags: FLAG.ack | FLAG.create | FLAG.exclusive })
  t.match(replaced, { type: TYPE.newRoute, flags: FLAG.ack | FLAG.create | FLAG.replace })
  t.match(removed, { type: TYPE.delRoute, flags: FLAG.ack })
  t.same(created?.header, Uint8Array.of(2, 16, 0, 0, 254, 117, 0, 1, 0, 0, 0, 0))
  t.same(removed?.header, Uint8Array.of(2, 16, 0, 0, 254, 117, 255, 1, 0, 0, 0, 0), 'of whatever scope')
  t.same(created?.attrs, removed?.attrs)
  t.same(created?.attrs, replaced?.attrs)
  t.end()
})

t.test('dumpRoutes() asks for a family’s', t => {
  t.match(dumpRoutes(IPV6), { type: TYPE.getRoute, flags: FLAG.dump, attrs: [] })
  t.same(dumpRoutes(IPV6).header, Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
  t.end()
})

t.test('parseRoute() reads what the kernel shows', t => {
  const [v4] = splitReplies(reply('ip route show table 300'))
  t.strictSame(show(parseRoute(v4!.body)), {
    dst: '10.9.0.0/16',
    gw: '10.1.0.1',
    index: 3,
    table: 300,
    scope: SCOPE.universe,
    priority: 5,
    protocol: 3,
  })
  const v6 = splitReplies(reply('ip -6 route show')).map(({ body }) => show(parseRoute(body)))
  t.strictSame(
    v6.map(route => [route?.dst, route?.gw, route?.index, route?.table]),
    [
      ['fd00::/64', undefined, 3, 254],
      ['fe80::/64', undefined, 4, 254],
      ['fe80::/64', undefined, 3, 254],
      ['fe80::/64', undefined, 2, 254],
      ['::/0', 'fd00::1', 3, 254],
    ],
  )
  t.end()
})

t.test('parseRoute() reads back what addRoute() wrote', t => {
  const family = fc.constantFrom(...FAMILIES)
  const anyRoute = family.chain(family =>
    fc.record({
      dst: fc.nat(family.bits).map(prefix => ({ ip: { family, value: 0n }, prefix })),
      gw: fc.option(fc.bigInt({ min: 0n, max: (1n << BigInt(family.bits)) - 1n }), { nil: undefined }),
      index: fc.option(fc.nat(0xffffffff), { nil: undefined }),
      table: fc.nat(0xffffffff),
      scope: fc.nat(255),
      priority: fc.option(fc.nat(0xffffffff), { nil: undefined }),
      protocol: fc.nat(255),
    }),
  )
  fc.assert(
    fc.property(anyRoute, ({ gw: value, ...rest }) => {
      const gw = value === undefined ? undefined : { family: rest.dst.ip.family, value }
      const { body } = splitReplies(encodeRequest(addRoute({ ...rest, gw }), 1))[0]!
      t.same(show(parseRoute(body)), show({ ...rest, gw }))
    }),
  )
  t.end()
})

t.test('parseRoute() takes the header’s table when no attribute names one', t => {
  t.match(show(parseRoute(Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0))), {
    dst: '0.0.0.0/0',
    table: 254,
  })
  t.end()
})

t.test('parseRoute() passes over other families and routes that are not unicast', t => {
  t.equal(parseRoute(Uint8Array.of(7, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0)), undefined)
  t.equal(parseRoute(Uint8Array.of(2, 0, 0, 0, 255, 2, 254, 2, 0, 0, 0, 0)), undefined, 'a local one')
  t.end()
})

t.test('parseRoute() never reads past a body, whatever its attributes are', t => {
  fc.assert(
    fc.property(fc.constantFrom(2, 10), fc.uint8Array({ maxLength: 100 }), (af, rest) => {
      return (
        parseRoute(Uint8Array.of(af, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, ...rest))?.dst.ip.family.af === af
      )
    }),
  )
  t.end()
})
