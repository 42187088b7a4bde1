import t from 'tap'
import { formatIp, parseCidr, parseIp } from './ip.ts'
import { readRangeSet } from './range.ts'
import { dealWishes } from './wishes.ts'

const sets = [
  readRangeSet([{ subnet: '10.1.0.0/24' }], 'a'),
  readRangeSet([{ subnet: 'fd00::/64', rangeEnd: 'fd00::ff' }], 'b'),
]
const deal = (...requested: string[]) =>
  dealWishes('pods', {
    sets,
    requested: requested.map(text => parseIp(text)!),
    exclude: [parseCidr('10.1.0.8/29')!],
    routes: [],
    resolvConf: undefined,
  }).map(({ ip }) => ip && formatIp(ip))
const bad = (message: RegExp) => ({ kind: 'invalid-config', message })

t.test('dealWishes() gives each requested address to its range set', t => {
  t.same(deal(), [undefined, undefined])
  t.same(deal('fd00::5'), [undefined, 'fd00::5'])
  t.same(deal('fd00::5', '10.1.0.5'), ['10.1.0.5', 'fd00::5'])
  t.end()
})

t.test('dealWishes() refuses what can never be given', t => {
  t.throws(
    () => deal('10.2.0.1'),
    bad(/Cannot reserve 10\.2\.0\.1 .*failed to allocate all requested IPs.*fd00::1-fd00::ff/),
  )
  t.throws(() => deal('fd00::100'), bad(/failed to allocate all requested IPs/))
  t.throws(
    () => deal('10.1.0.5', '10.1.0.6'),
    bad(/Cannot reserve 10\.1\.0\.6 .*at most one address of each/),
  )
  t.throws(() => deal('10.1.0.1'), bad(/it is the gateway/))
  t.throws(() => deal('10.1.0.9'), bad(/"ipam\.exclude" holds it back/))
  t.end()
})

t.test('dealWishes() refuses a network without a range and says what to set', t => {
  const nothing = { sets: [], requested: [], exclude: [], routes: [], resolvConf: undefined }
  t.throws(() => dealWishes('pods', nothing), bad(/network "pods": it has no range; set "ipam\.ranges"/))
  t.end()
})
