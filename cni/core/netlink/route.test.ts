import fc from 'fast-check'
import t from 'tap'
import { FAMILIES, formatCidr, formatIp, IPV6 } from '../../../ipam/core/ip.ts'
import { reply, request } from '../../../test/support/netlink.ts'
import { cidr, ip } from '../../../test/support/result.ts'
import { concat, encodeAttrs, parseAttrs } from './attr.ts'
import { encodeRequest, FLAG, splitReplies, TYPE } from './message.ts'
import {
  addRoute,
  createRoute,
  delRoute,
  dumpRoutes,
  getRoute,
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
const show = (routes: readonly KernelRoute[]) =>
  routes.map(route => ({ ...route, dst: formatCidr(route.dst), gw: route.gw && formatIp(route.gw) }))

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

for (const address of ['240.0.0.1', '4000::1']) {
  t.test(`getRoute() of ${address} sends what \`ip route get fibmatch\` sends`, t => {
    const ours = encodeRequest(getRoute(ip(address)), 1)
    t.strictSame(parts(ours), parts(request(`ip route get fibmatch ${address}`)))
    t.end()
  })
}

t.test('parseRoute() reads what the kernel shows', t => {
  const [v4] = splitReplies(reply('ip route show table 300'))
  t.strictSame(show(parseRoute(v4!.body)), [
    {
      dst: '10.9.0.0/16',
      gw: '10.1.0.1',
      index: 3,
      table: 300,
      scope: SCOPE.universe,
      priority: 5,
      protocol: 3,
      mtu: 1300,
      advmss: 1260,
    },
  ])
  const v6 = splitReplies(reply('ip -6 route show')).flatMap(({ body }) => show(parseRoute(body)))
  t.strictSame(
    v6.map(({ dst, gw, index, table }) => [dst, gw, index, table]),
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

t.test('parseRoute() reads a route of several hops as a route for each, also across families', t => {
  const hops = (command: string) =>
    splitReplies(reply(command)).flatMap(({ body }) =>
      show(parseRoute(body)).map(({ dst, gw, index, mtu }) => [dst, gw, index, mtu]),
    )
  t.strictSame(hops('ip route get fibmatch 240.0.0.1'), [
    ['0.0.0.0/0', '10.7.0.2', 3, 1250],
    ['0.0.0.0/0', 'fd00:8::2', 5, 1250],
  ])
  t.strictSame(hops('ip route get fibmatch 4000::1'), [
    ['::/0', 'fd00:8::2', 5, undefined],
    ['::/0', 'fd00:7::2', 3, undefined],
  ])
  t.end()
})

t.test('parseRoute() reads hops as far as they fit', t => {
  const header = Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0)
  const withHops = (...hops: number[]) =>
    show(parseRoute(concat([header, encodeAttrs([[9, Uint8Array.from(hops)]])]))).map(({ index }) => index)
  const hop = (length: number, index: number) => [length, 0, 0, 0, index, 0, 0, 0]
  t.same(withHops(...hop(8, 3), ...hop(8, 4)), [3, 4])
  t.same(withHops(...hop(8, 3), ...hop(12, 4)), [3], 'one that is longer than the list')
  t.same(withHops(...hop(8, 3), ...hop(0, 4)), [3], 'one of no length')
  t.same(withHops(...hop(4, 3)), [undefined], 'none at all')
  t.end()
})

t.test('parseRoute() passes over a gateway of a family that is not ours', t => {
  const via = encodeAttrs([[18, Uint8Array.of(28, 0, 1, 2, 3)]])
  const body = concat([Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0), via])
  t.same(parseRoute(body)[0]?.gw, undefined)
  t.end()
})

t.test('parseRoute() reads back what addRoute() wrote', t => {
  const anyIp = fc
    .constantFrom(...FAMILIES)
    .chain(family =>
      fc.bigInt({ min: 0n, max: (1n << BigInt(family.bits)) - 1n }).map(value => ({ family, value })),
    )
  const option = (number: fc.Arbitrary<number>) => fc.option(number, { nil: undefined })
  const anyRoute = fc.record({
    dst: fc
      .constantFrom(...FAMILIES)
      .chain(family => fc.nat(family.bits).map(prefix => ({ ip: { family, value: 0n }, prefix }))),
    gw: fc.option(anyIp, { nil: undefined }),
    index: option(fc.nat(0xffffffff)),
    table: fc.nat(0xffffffff),
    scope: fc.nat(255),
    priority: option(fc.nat(0xffffffff)),
    protocol: fc.nat(255),
    mtu: option(fc.nat(0xffffffff)),
    advmss: option(fc.nat(0xffffffff)),
  })
  fc.assert(
    fc.property(anyRoute, route => {
      const { body } = splitReplies(encodeRequest(addRoute(route), 1))[0]!
      t.same(show(parseRoute(body)), show([route]))
    }),
  )
  t.end()
})

t.test('parseRoute() takes the header’s table when no attribute names one', t => {
  t.match(show(parseRoute(Uint8Array.of(2, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0))), [
    { dst: '0.0.0.0/0', table: 254 },
  ])
  t.end()
})

t.test('parseRoute() passes over other families and routes that are not unicast', t => {
  t.same(parseRoute(Uint8Array.of(7, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0)).length, 0)
  t.same(parseRoute(Uint8Array.of(2, 0, 0, 0, 255, 2, 254, 2, 0, 0, 0, 0)).length, 0, 'a local one')
  t.end()
})

t.test('parseRoute() never reads past a body, whatever its attributes are', t => {
  fc.assert(
    fc.property(fc.constantFrom(2, 10), fc.uint8Array({ maxLength: 100 }), (af, rest) => {
      const routes = parseRoute(Uint8Array.of(af, 0, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, ...rest))
      return routes.length > 0 && routes.every(({ dst }) => dst.ip.family.af === af)
    }),
  )
  t.end()
})
