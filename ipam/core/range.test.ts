import t from 'tap'
import type { JsonObject } from '../../cni/spec/read.ts'
import { formatIp, parseIp } from './ip.ts'
import { formatSet, inRange, rangeOf, type RangeSet, readRangeSet, refuseOverlaps } from './range.ts'

const read = (...ranges: JsonObject[]): RangeSet => readRangeSet(ranges, 'ranges[0]')
const bad = (message: RegExp) => ({ kind: 'invalid-config', message })

t.test('readRangeSet() fills in the first address as gateway and all that may be given out', t => {
  const cases = [
    ['10.1.0.0/24', '10.1.0.1-10.1.0.254', '10.1.0.1'],
    ['10.1.0.0/30', '10.1.0.1-10.1.0.2', '10.1.0.1'],
    ['fd00::/64', 'fd00::1-fd00::ffff:ffff:ffff:ffff', 'fd00::1'],
    ['fd00::/126', 'fd00::1-fd00::3', 'fd00::1'],
  ] as const
  for (const [subnet, ends, gateway] of cases) {
    const set = read({ subnet })
    t.equal(formatSet(set), ends)
    t.equal(formatIp(set[0].gateway), gateway)
  }
  t.end()
})

t.test('readRangeSet() takes the ends and the gateway that are given; "" is none, as for Go programs', t => {
  const set = read({ subnet: '10.1.0.0/24', rangeStart: '10.1.0.10', rangeEnd: '10.1.0.20', gateway: '' })
  t.equal(formatSet(set), '10.1.0.10-10.1.0.20')
  t.equal(formatIp(set[0].gateway), '10.1.0.1')
  t.equal(
    formatSet(read({ subnet: '10.1.0.0/24', rangeStart: '10.1.0.0', rangeEnd: '10.1.0.255' })),
    '10.1.0.0-10.1.0.255',
  )
  t.end()
})

t.test('readRangeSet() takes a gateway outside of the subnet, as the reference does', t => {
  t.equal(formatIp(read({ subnet: '10.1.0.0/24', gateway: '169.254.1.1' })[0].gateway), '169.254.1.1')
  t.end()
})

t.test('readRangeSet() says what is wrong with a range', t => {
  const subnet = '10.1.0.0/24'
  const cases: [JsonObject, RegExp][] = [
    [{}, /ranges\[0\]\[0\]\.subnet.*expected a network.*got ""/],
    [{ subnet: '10.1.0.0' }, /expected a network/],
    [{ subnet: 5 }, /expected a string/],
    [{ subnet: '10.1.0.3/24' }, /host bits set; the network is 10\.1\.0\.0\/24/],
    [{ subnet: '10.1.0.0/31' }, /too small.*prefix of 30 or shorter/],
    [{ subnet: 'fd00::/127' }, /too small.*prefix of 126 or shorter/],
    [{ subnet, rangeStart: 'x' }, /rangeStart.*expected an address, got "x"/],
    [{ subnet, rangeStart: '10.2.0.1' }, /rangeStart.*10\.2\.0\.1 is not in the network/],
    [{ subnet, rangeEnd: 'fd00::1' }, /rangeEnd.*fd00::1 is not in the network/],
    [{ subnet, rangeStart: '10.1.0.9', rangeEnd: '10.1.0.8' }, /ends before it starts/],
    [{ subnet, gateway: 'fd00::1' }, /gateway.*not of the family/],
    [{ subnet, gateway: '10.1.0' }, /gateway.*expected an address/],
  ]
  for (const [range, message] of cases) t.throws(() => read(range), bad(message), JSON.stringify(range))
  t.throws(() => readRangeSet([], 'ranges[0]'), bad(/ranges\[0\].*it is empty/))
  t.throws(() => readRangeSet({}, 'ranges[0]'), bad(/expected a list/))
  t.end()
})

t.test('rangeOf() finds the range between whose ends an address lies', t => {
  const set = read({ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.9' }, { subnet: '10.2.0.0/24' })
  t.equal(rangeOf(set, parseIp('10.2.0.7')!), set[1])
  t.equal(rangeOf(set, parseIp('10.1.0.10')!), undefined)
  t.notOk(inRange(set[0], parseIp('fd00::1')!))
  t.end()
})

t.test('refuseOverlaps() refuses shared addresses in one set and between two, and mixed families', t => {
  const a = { subnet: '10.1.0.0/24', rangeEnd: '10.1.0.100' }
  const b = { subnet: '10.1.0.0/24', rangeStart: '10.1.0.101' }
  const c = { subnet: '10.1.0.64/26' }
  t.doesNotThrow(() => refuseOverlaps([read(a, b), read({ subnet: 'fd00::/64' })]))
  t.throws(
    () => refuseOverlaps([read(a, c)]),
    bad(/10\.1\.0\.1-10\.1\.0\.100 and 10\.1\.0\.65-10\.1\.0\.126: they overlap/),
  )
  t.throws(() => refuseOverlaps([read(c), read(b)]), bad(/they overlap/))
  t.throws(() => refuseOverlaps([read(a, { subnet: 'fd00::/64' })]), bad(/mixes IPv4 and IPv6/))
  t.end()
})
