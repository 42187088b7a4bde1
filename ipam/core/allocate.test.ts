import fc from 'fast-check'
import t from 'tap'
import { allocate, type Candidate, candidates } from './allocate.ts'
import { type Cidr, formatIp, type Ip, parseCidr, parseIp } from './ip.ts'
import { type RangeSet, readRangeSet } from './range.ts'

const set = (
  ...ranges: { subnet: string; rangeStart?: string; rangeEnd?: string; gateway?: string }[]
): RangeSet => readRangeSet(ranges, 'set')
const ip = (text: string): Ip => parseIp(text)!
const cidrs = (...texts: string[]): Cidr[] => texts.map(text => parseCidr(text)!)
const texts = (found: Iterable<Candidate>): string[] => [...found].map(candidate => formatIp(candidate.ip))

/** A keeper over a set of address texts, which counts what it is asked. */
function keeperOf(held: Set<string>) {
  return {
    held,
    claims: 0,
    reads: 0,
    claim(wanted: Ip): boolean {
      this.claims += 1
      return held.size < held.add(formatIp(wanted)).size
    },
    taken(): ReadonlySet<string> {
      this.reads += 1
      return held
    },
  }
}

t.test('candidates() goes round from the one after the last', t => {
  const pool = set({ subnet: '10.0.0.0/29' })
  t.same(texts(candidates(pool, undefined, [])), ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'])
  t.same(texts(candidates(pool, ip('10.0.0.4'), [])), [
    '10.0.0.5',
    '10.0.0.6',
    '10.0.0.2',
    '10.0.0.3',
    '10.0.0.4',
  ])
  t.same(texts(candidates(pool, ip('10.0.0.6'), [])), [
    '10.0.0.2',
    '10.0.0.3',
    '10.0.0.4',
    '10.0.0.5',
    '10.0.0.6',
  ])
  t.end()
})

t.test('candidates() starts anew when the last one is not of the set', t => {
  const pool = set({ subnet: '10.0.0.0/29', rangeStart: '10.0.0.3', rangeEnd: '10.0.0.4' })
  for (const last of ['10.0.0.5', 'fd00::1', '10.9.0.1']) {
    t.same(texts(candidates(pool, ip(last), [])), ['10.0.0.3', '10.0.0.4'])
  }
  t.end()
})

t.test('candidates() goes through all ranges of a pool in order', t => {
  const pool = set(
    { subnet: '10.0.0.0/30' },
    { subnet: '10.0.1.0/29', rangeEnd: '10.0.1.3' },
    { subnet: '10.0.2.0/30' },
  )
  t.same(texts(candidates(pool, undefined, [])), ['10.0.0.2', '10.0.1.2', '10.0.1.3', '10.0.2.2'])
  t.same(texts(candidates(pool, ip('10.0.1.2'), [])), ['10.0.1.3', '10.0.2.2', '10.0.0.2', '10.0.1.2'])
  t.end()
})

t.test('candidates() skips every gateway of the pool', t => {
  const pool = set(
    { subnet: '10.0.0.0/28', rangeEnd: '10.0.0.4', gateway: '10.0.0.6' },
    { subnet: '10.0.0.0/28', rangeStart: '10.0.0.5', rangeEnd: '10.0.0.8', gateway: '10.0.0.2' },
  )
  t.same(texts(candidates(pool, undefined, [])), [
    '10.0.0.1',
    '10.0.0.3',
    '10.0.0.4',
    '10.0.0.5',
    '10.0.0.7',
    '10.0.0.8',
  ])
  t.end()
})

t.test('candidates() jumps over excluded networks of any size', t => {
  const pool = set({ subnet: 'fd00::/64' })
  const exclude = cidrs('fd00::/66', 'fd00:0:0:0:4000::/66', 'fd00:0:0:0:8000::/127')
  const [first] = candidates(pool, undefined, exclude)
  t.equal(formatIp(first!.ip), 'fd00::8000:0:0:2')
  t.same(texts(candidates(pool, undefined, cidrs('fd00::/64'))), [])
  t.end()
})

t.test('allocate() claims the first free one and says undefined when there is none', t => {
  const pool = set({ subnet: '10.0.0.0/29' })
  const keeper = keeperOf(new Set(['10.0.0.2', '10.0.0.3']))
  t.equal(formatIp(allocate(pool, undefined, [], keeper)!.ip), '10.0.0.4')
  t.equal(
    allocate(pool, undefined, [], keeperOf(new Set(texts(candidates(pool, undefined, [])))))?.ip,
    undefined,
  )
  t.end()
})

t.test('allocate() reads the store once when many addresses in a row are held', t => {
  const pool = set({ subnet: '10.0.0.0/16' })
  const all = texts(candidates(pool, undefined, []))
  const keeper = keeperOf(new Set(all.filter(text => text !== '10.0.250.7')))
  t.equal(formatIp(allocate(pool, undefined, [], keeper)!.ip), '10.0.250.7')
  t.equal(keeper.reads, 1)
  t.ok(keeper.claims < 300, `${keeper.claims} claims`)
  t.end()
})

const ends = fc.tuple(fc.integer({ min: 1, max: 14 }), fc.integer({ min: 1, max: 14 }))
const anyPool = fc.tuple(ends, fc.constantFrom('10.0.0.', 'fd00::')).map(([pair, net]) => {
  const [start, end] = pair.toSorted((a, b) => a - b).map(n => net + (net === 'fd00::' ? n.toString(16) : n))
  return set({ subnet: net === 'fd00::' ? 'fd00::/124' : '10.0.0.0/28', rangeStart: start!, rangeEnd: end! })
})

t.test('candidates() gives each address once, wherever it starts', t => {
  fc.assert(
    fc.property(anyPool, fc.nat(16), (pool, steps) => {
      const last: Ip = { family: pool[0].subnet.ip.family, value: pool[0].subnet.ip.value + BigInt(steps) }
      const found = texts(candidates(pool, last, []))
      t.same(found.toSorted(), texts(candidates(pool, undefined, [])).toSorted())
      t.equal(new Set(found).size, found.length)
    }),
  )
  t.end()
})

t.test('allocate() after a release gives the pool back as it was, and never one address twice', t => {
  fc.assert(
    fc.property(anyPool, fc.array(fc.nat(30), { maxLength: 40 }), (pool, turns) => {
      const keeper = keeperOf(new Set())
      let last: Ip | undefined
      for (const turn of turns) {
        const before = new Set(keeper.held)
        const found = allocate(pool, last, [], keeper)
        if (found === undefined) t.equal(before.size, texts(candidates(pool, undefined, [])).length)
        else t.notOk(before.has(formatIp(found.ip)))
        last = found?.ip ?? last
        if (found !== undefined && turn % 3 === 0) {
          keeper.held.delete(formatIp(found.ip))
          t.same(keeper.held, before)
        } else keeper.held.delete([...keeper.held][turn] ?? '')
      }
    }),
  )
  t.end()
})
