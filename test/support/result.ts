import fc from 'fast-check'
import {
  type Cidr,
  type Family,
  FAMILIES,
  type Ip,
  IPV4,
  IPV6,
  parseCidr,
  parseIp,
} from '../../ipam/core/ip.ts'
import { present } from '../../cni/spec/present.ts'
import type { Result, ResultInterface, ResultIp, Route } from '../../cni/spec/result.ts'

/** An address in a test's own words. */
export const ip = (text: string): Ip => parseIp(text) as Ip
export const cidr = (text: string): Cidr => parseCidr(text) as Cidr

/** A result that uses every field. */
export const FULL_RESULT: Result = {
  interfaces: [
    { name: 'cbr0', mac: '02:00:00:00:00:01', mtu: 1500 },
    { name: 'veth01', mac: '02:00:00:00:00:02', mtu: 1500 },
    { name: 'eth0', mac: '02:00:00:00:00:03', mtu: 1400, sandbox: '/run/netns/c1' },
  ],
  ips: [
    { address: cidr('10.1.0.5/16'), gateway: ip('10.1.0.1'), interface: 2 },
    { address: cidr('fd00::5/64'), gateway: ip('fd00::1'), interface: 2 },
    { address: cidr('10.2.0.5/16'), interface: 2 },
  ],
  routes: [
    { dst: cidr('0.0.0.0/0'), gw: ip('10.1.0.1') },
    { dst: cidr('::/0') },
    {
      dst: cidr('192.168.0.0/24'),
      gw: ip('10.1.0.9'),
      mtu: 1300,
      advmss: 1260,
      priority: 50,
      table: 100,
      scope: 0,
    },
  ],
  dns: { nameservers: ['10.1.0.1'], domain: 'example.org', search: ['a', 'b'], options: ['ndots:5'] },
}

/** A record as an object literal makes it, with a prototype. */
const record = <T>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(fields, { noNullPrototype: true })

const arbitraryIp = (family: Family): fc.Arbitrary<Ip> =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(family.bits)) - 1n }).map(value => ({ family, value }))

const arbitraryCidr = (family: Family): fc.Arbitrary<Cidr> =>
  record({ ip: arbitraryIp(family), prefix: fc.nat(family.bits) })

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const text = fc.string({ minLength: 1 })
const u32 = maybe(fc.nat(2 ** 32 - 1))
const family = fc.constantFrom(...FAMILIES)

const arbitraryInterface: fc.Arbitrary<ResultInterface> = record({
  name: text,
  mac: maybe(text),
  mtu: u32,
  sandbox: maybe(text),
}).map(present)

const arbitraryResultIp = (family: Family, interfaces: number): fc.Arbitrary<ResultIp> =>
  record({
    address: arbitraryCidr(family),
    gateway: maybe(arbitraryIp(family)),
    interface: interfaces === 0 ? fc.constant(undefined) : maybe(fc.nat(interfaces - 1)),
  }).map(present)

const arbitraryRoute = (family: Family): fc.Arbitrary<Route> =>
  record({
    dst: arbitraryCidr(family),
    gw: maybe(arbitraryIp(family)),
    mtu: u32,
    advmss: u32,
    priority: u32,
    table: u32,
    scope: maybe(fc.nat(255)),
  }).map(present)

const list = maybe(fc.array(text, { minLength: 1 }))
const arbitraryDns = record({ nameservers: list, domain: maybe(text), search: list, options: list }).map(
  present,
)

/** Any result that version 1.1.0 can carry. */
export const arbitraryResult: fc.Arbitrary<Result> = fc.array(arbitraryInterface).chain(interfaces =>
  record({
    interfaces: fc.constant(interfaces),
    ips: fc.array(family.chain(f => arbitraryResultIp(f, interfaces.length))),
    routes: fc.array(family.chain(arbitraryRoute)),
    dns: arbitraryDns,
  }),
)

/** Any result that versions 0.1.0 and 0.2.0 can carry: an address a family at most, and routes only beside one. */
export const arbitraryLegacyResult: fc.Arbitrary<Result> = fc
  .tuple(...[IPV4, IPV6].map(f => fc.option(fc.tuple(arbitraryResultIp(f, 0), fc.array(arbitraryRoute(f))))))
  .chain(families => {
    const given = families.filter(item => item !== null)
    return record({
      interfaces: fc.constant([]),
      ips: fc.constant(given.map(([address]) => address)),
      routes: fc.constant(given.flatMap(([, routes]) => routes.map(({ dst, gw }) => present({ dst, gw })))),
      dns: arbitraryDns,
    })
  })
