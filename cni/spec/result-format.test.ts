import t from 'tap'
import { FULL_RESULT } from '../../test/support/result.ts'
import { formatResult } from './result-format.ts'
import { EMPTY_RESULT } from './result.ts'
import { VERSIONS } from './version.ts'

const DNS = { nameservers: ['10.1.0.1'], domain: 'example.org', search: ['a', 'b'], options: ['ndots:5'] }
const HOPS = [
  { dst: '0.0.0.0/0', gw: '10.1.0.1' },
  { dst: '::/0' },
  { dst: '192.168.0.0/24', gw: '10.1.0.9' },
]
const IPS = [
  { interface: 2, address: '10.1.0.5/16', gateway: '10.1.0.1' },
  { interface: 2, address: 'fd00::5/64', gateway: 'fd00::1' },
  { interface: 2, address: '10.2.0.5/16' },
]
const INTERFACES = [
  { name: 'cbr0', mac: '02:00:00:00:00:01' },
  { name: 'veth01', mac: '02:00:00:00:00:02' },
  { name: 'eth0', mac: '02:00:00:00:00:03', sandbox: '/run/netns/c1' },
]

for (const version of ['0.1.0', '0.2.0'] as const) {
  t.test(`formatResult() in ${version} gives the first address of each family with its routes`, async t => {
    t.strictSame(formatResult(FULL_RESULT, version), {
      cniVersion: version,
      ip4: { ip: '10.1.0.5/16', gateway: '10.1.0.1', routes: [HOPS[0], HOPS[2]] },
      ip6: { ip: 'fd00::5/64', gateway: 'fd00::1', routes: [HOPS[1]] },
      dns: DNS,
    })
  })
}

for (const version of ['0.3.0', '0.3.1', '0.4.0'] as const) {
  t.test(`formatResult() in ${version} gives each address its version`, async t => {
    t.strictSame(formatResult(FULL_RESULT, version), {
      cniVersion: version,
      interfaces: INTERFACES,
      ips: [
        { version: '4', ...IPS[0] },
        { version: '6', ...IPS[1] },
        { version: '4', ...IPS[2] },
      ],
      routes: HOPS,
      dns: DNS,
    })
  })
}

t.test('formatResult() in 1.0.0 knows neither ips[].version nor MTUs', async t => {
  t.strictSame(formatResult(FULL_RESULT, '1.0.0'), {
    cniVersion: '1.0.0',
    interfaces: INTERFACES,
    ips: IPS,
    routes: HOPS,
    dns: DNS,
  })
})

t.test('formatResult() in 1.1.0 gives MTUs and all that a route has', async t => {
  t.strictSame(formatResult(FULL_RESULT, '1.1.0'), {
    cniVersion: '1.1.0',
    interfaces: INTERFACES.map((item, i) => ({ ...item, mtu: i === 2 ? 1400 : 1500 })),
    ips: IPS,
    routes: [HOPS[0], HOPS[1], { ...HOPS[2], mtu: 1300, advmss: 1260, priority: 50, table: 100, scope: 0 }],
    dns: DNS,
  })
})

for (const version of VERSIONS) {
  t.test(`formatResult() in ${version} leaves out what is empty`, async t => {
    const result = { ...EMPTY_RESULT, dns: { nameservers: [], search: [], options: [], domain: '' } }
    t.strictSame(formatResult(result, version), { cniVersion: version })
  })
}

t.test('formatResult() of an address plugin has no interfaces and no index into them', async t => {
  for (const version of ['0.3.0', '0.4.0', '1.0.0', '1.1.0'] as const) {
    const json = formatResult({ ...FULL_RESULT, interfaces: [] }, version)
    t.notOk('interfaces' in json, version)
    t.notMatch(JSON.stringify(json['ips']), 'interface', version)
  }
})
