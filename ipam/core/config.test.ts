import t from 'tap'
import { parseNetworkConfig } from '../../cni/spec/config.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import { type IpamConfig, parseDataDir, parseIpamConfig } from './config.ts'
import { formatCidr, formatIp } from './ip.ts'
import { formatSet } from './range.ts'

const network = (ipam: JsonObject, keys: JsonObject = {}) =>
  parseNetworkConfig({ cniVersion: '1.1.0', name: 'pods', ipam, ...keys })
const read = (ipam: JsonObject, keys: JsonObject = {}, args: [string, string][] = []): IpamConfig =>
  parseIpamConfig(network(ipam, keys), new Map(args))
const bad = (message: RegExp) => ({ kind: 'invalid-config', message })

t.test('parseIpamConfig() numbers the range sets: of the runtime, of the old keys, of "ranges"', t => {
  const { sets } = read(
    {
      subnet: '10.2.0.0/30',
      gateway: '10.2.0.2',
      ranges: [[{ subnet: '10.3.0.0/30' }, { subnet: '10.4.0.0/30' }]],
    },
    { runtimeConfig: { ipRanges: [[{ subnet: '10.1.0.0/30' }]] } },
  )
  t.same(sets.map(formatSet), [
    '10.1.0.1-10.1.0.2',
    '10.2.0.1-10.2.0.2',
    '10.3.0.1-10.3.0.2,10.4.0.1-10.4.0.2',
  ])
  t.equal(formatIp(sets[1]![0].gateway), '10.2.0.2')
  t.end()
})

t.test('parseIpamConfig() takes a config without anything', t => {
  t.same(read({}), { sets: [], exclude: [], routes: [], resolvConf: undefined, requested: [] })
  t.same(read({ ranges: null, routes: null, exclude: null, resolvConf: '' }).sets, [])
  t.end()
})

t.test('parseIpamConfig() refuses sets that overlap', t => {
  t.throws(() => read({ subnet: '10.1.0.0/24', ranges: [[{ subnet: '10.1.0.0/25' }]] }), bad(/overlap/))
  t.end()
})

t.test('parseIpamConfig() wants one set of a family before 0.3.0', t => {
  const ranges = [[{ subnet: '10.1.0.0/24' }], [{ subnet: '10.2.0.0/24' }]]
  t.throws(
    () => read({ ranges }, { cniVersion: '0.2.0' }),
    bad(/several IPv4 range sets with cniVersion 0\.2\.0: raise/),
  )
  t.equal(read({ ranges }, { cniVersion: '0.3.0' }).sets.length, 2)
  t.equal(read({ ranges: [ranges[0]!, [{ subnet: 'fd00::/64' }]] }, { cniVersion: '0.1.0' }).sets.length, 2)
  t.end()
})

t.test('parseIpamConfig() reads routes with all their fields', t => {
  const { routes } = read({
    routes: [
      { dst: '0.0.0.0/0' },
      { dst: 'fd01::/64', gw: 'fd00::1', mtu: 1400, advmss: 1340, priority: 5, table: 117, scope: 0 },
    ],
  })
  t.same(
    routes.map(({ dst, gw, ...rest }) => [formatCidr(dst), gw && formatIp(gw), rest]),
    [
      ['0.0.0.0/0', undefined, {}],
      ['fd01::/64', 'fd00::1', { mtu: 1400, advmss: 1340, priority: 5, table: 117, scope: 0 }],
    ],
  )
  t.throws(() => read({ routes: [{ dst: '10.0.0.0' }] }), bad(/"ipam\.routes\[0\]\.dst"/))
  t.end()
})

t.test('parseIpamConfig() reads excluded networks', t => {
  t.same(read({ exclude: ['10.1.0.8/29', 'fd00::/80'] }).exclude.map(formatCidr), [
    '10.1.0.8/29',
    'fd00::/80',
  ])
  t.throws(() => read({ exclude: ['10.1.0.8'] }), bad(/"ipam\.exclude\[0\]": expected a network/))
  t.end()
})

t.test(
  'parseIpamConfig() reads requested addresses: CNI_ARGS, then args.cni.ips, then runtimeConfig.ips',
  t => {
    const keys = { args: { cni: { ips: ['10.1.0.3'] } }, runtimeConfig: { ips: ['fd00::4/64', '10.1.0.5'] } }
    const { requested } = read({}, keys, [['IP', '10.1.0.1/24, 10.1.0.2']])
    t.same(requested.map(formatIp), ['10.1.0.1', '10.1.0.2', '10.1.0.3', 'fd00::4', '10.1.0.5'])
    t.throws(
      () => read({}, {}, [['IP', '10.1.0']]),
      bad(/"CNI_ARGS\.IP\[0\]": expected an address, got "10\.1\.0"/),
    )
    t.throws(() => read({}, { runtimeConfig: { ips: ['x'] } }), bad(/"runtimeConfig\.ips\[0\]"/))
    t.end()
  },
)

t.test('parseDataDir() gives the folder, or ours when there is none', t => {
  t.equal(parseDataDir(network({})), '/run/podwire/ipam')
  t.equal(parseDataDir(network({ dataDir: '' })), '/run/podwire/ipam')
  t.equal(parseDataDir(network({ dataDir: '/x', ranges: 'damaged' })), '/x')
  t.throws(() => parseDataDir(network({ dataDir: '/x\0' })), bad(/NUL/))
  t.throws(() => parseDataDir(network({ dataDir: 5 })), bad(/expected a string/))
  t.end()
})
