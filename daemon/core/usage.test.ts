import fc from 'fast-check'
import t from 'tap'
import { Reader } from '../../cni/spec/read.ts'
import { candidates } from '../../ipam/core/allocate.ts'
import { type Cidr, formatIp, IPV4, IPV6, parseCidr } from '../../ipam/core/ip.ts'
import { type RangeSet, readRange } from '../../ipam/core/range.ts'
import { usageOf } from './usage.ts'

const cidr = (text: string): Cidr => parseCidr(text)!
const set = (...ranges: Record<string, string>[]): RangeSet =>
  ranges.map(range => readRange(new Reader(range))) as unknown as RangeSet

t.test('usageOf() counts each family of the ranges', t => {
  const sets = [set({ subnet: '10.1.0.0/24' }), set({ subnet: 'fd00::/64' })]
  const names = ['10.1.0.2', '10.1.0.9', 'fd00::2', 'last_reserved_ip.0', 'lock']
  t.same(usageOf(sets, [], names), [
    { family: IPV4, used: 2, free: 251n },
    { family: IPV6, used: 1, free: 2n ** 64n - 3n },
  ])
  t.same(usageOf([], [], names), [])
  t.end()
})

t.test('usageOf() leaves out what no ADD could get', t => {
  const names = ['10.1.0.1', '10.1.0.5', '10.1.0.200', '10.9.0.1']
  const [usage] = usageOf(
    [set({ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.100' })],
    [cidr('10.1.0.4/30')],
    names,
  )
  t.same(usage, { family: IPV4, used: 0, free: 95n })
  t.end()
})

t.test('usageOf() counts networks that are excluded twice, or are of the other family, right', t => {
  const exclude = ['10.1.0.16/28', '10.1.0.16/30', '10.2.0.0/16', 'fd00::/8', '10.1.0.0/31'].map(cidr)
  t.match(usageOf([set({ subnet: '10.1.0.0/24' })], exclude, []), [{ used: 0, free: 253n - 16n }])
  t.end()
})

t.test('usageOf() counts exactly the addresses that allocation would go through', t => {
  const small = fc.record({ base: fc.integer({ min: 0, max: 3 }), prefix: fc.integer({ min: 26, max: 30 }) })
  const excluded = fc.record({
    at: fc.integer({ min: 0, max: 255 }),
    prefix: fc.integer({ min: 26, max: 32 }),
  })
  fc.assert(
    fc.property(small, fc.array(excluded, { maxLength: 4 }), ({ base, prefix }, holes) => {
      const ranges = set({ subnet: `10.1.0.${base * 64}/${prefix}`, gateway: `10.1.0.${base * 64 + 2}` })
      const exclude = holes.map(hole => cidr(`10.1.0.${hole.at}/${hole.prefix}`))
      const all = [...candidates(ranges, undefined, exclude)].map(({ ip }) => formatIp(ip))
      const [none] = usageOf([ranges], exclude, [])
      const [full] = usageOf([ranges], exclude, all)
      return none?.free === BigInt(all.length) && full?.free === 0n && full.used === all.length
    }),
  )
  t.end()
})
