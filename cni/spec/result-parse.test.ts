import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { arbitraryLegacyResult, arbitraryResult, cidr, FULL_RESULT, ip } from '../../test/support/result.ts'
import { parseNetworkConfig } from './config.ts'
import { CODES } from './error.ts'
import { present } from './present.ts'
import type { JsonObject } from './read.ts'
import { formatResult } from './result-format.ts'
import { parsePrevResult, parseResult } from './result-parse.ts'
import { EMPTY_RESULT, type Result } from './result.ts'
import { type CniVersion, VERSIONS } from './version.ts'

/** What is left of a result in a version that has lists. */
function carriedBy(version: CniVersion, result: Result): Result {
  if (version === '1.1.0') return result
  return {
    ...result,
    interfaces: result.interfaces.map(({ name, mac, sandbox }) => present({ name, mac, sandbox })),
    routes: result.routes.map(({ dst, gw }) => present({ dst, gw })),
  }
}

/** As a runtime keeps it: through text. */
const throughText = (json: JsonObject): JsonObject => JSON.parse(JSON.stringify(json)) as JsonObject

for (const version of VERSIONS.slice(2)) {
  t.test(`parseResult() gives back what formatResult() wrote in ${version}`, async () => {
    fc.assert(
      fc.property(arbitraryResult, result => {
        const json = throughText(formatResult(result, version))
        assert.deepEqual(parseResult(json, '0.1.0', ''), carriedBy(version, result))
      }),
      { numRuns: 50 },
    )
  })
}

for (const version of VERSIONS.slice(0, 2)) {
  t.test(`parseResult() gives back what formatResult() wrote in ${version}`, async () => {
    fc.assert(
      fc.property(arbitraryLegacyResult, result => {
        const json = throughText(formatResult(result, version))
        assert.deepEqual(parseResult(json, '1.1.0', ''), result)
      }),
      { numRuns: 50 },
    )
  })
}

t.test('parseResult() takes a missing cniVersion from the config', async t => {
  const legacy = { ip4: { ip: '10.0.0.2/24' } }
  const lists = { ips: [{ address: '10.0.0.2/24' }] }
  const result = { ...EMPTY_RESULT, ips: [{ address: cidr('10.0.0.2/24') }] }
  t.strictSame(parseResult(legacy, '0.2.0', ''), result)
  t.strictSame(parseResult({ ...legacy, cniVersion: '' }, '0.1.0', ''), result)
  t.strictSame(parseResult(lists, '0.3.0', ''), result)
  t.strictSame(parseResult({ ...lists, cniVersion: null }, '1.1.0', ''), result)
})

t.test('parseResult() reads what Go programs write for nothing', async t => {
  const json = {
    interfaces: [{ name: 'eth0', mac: '', sandbox: '' }],
    ips: [{ version: '4', address: '10.0.0.2/24', gateway: '', interface: null }],
    routes: [{ dst: '0.0.0.0/0', gw: '' }],
    dns: { nameservers: null, domain: '' },
  }
  t.strictSame(parseResult(json, '0.4.0', ''), {
    interfaces: [{ name: 'eth0' }],
    ips: [{ address: cidr('10.0.0.2/24') }],
    routes: [{ dst: cidr('0.0.0.0/0') }],
    dns: {},
  })
  t.strictSame(
    parseResult({ interfaces: null, ips: null, routes: null, dns: null }, '1.0.0', ''),
    EMPTY_RESULT,
  )
})

t.test('parseResult() passes over an index when there are no interfaces', async t => {
  const json = { ips: [{ address: 'fd00::2/64', gateway: 'fd00::1', interface: 0 }] }
  t.strictSame(parseResult(json, '1.0.0', '').ips, [{ address: cidr('fd00::2/64'), gateway: ip('fd00::1') }])
})

const faults: [JsonObject, string][] = [
  [{ cniVersion: '9.9.9' }, 'prevResult.cniVersion'],
  [{ cniVersion: 1 }, 'prevResult.cniVersion'],
  [{ interfaces: {} }, 'prevResult.interfaces'],
  [{ interfaces: ['eth0'] }, 'prevResult.interfaces[0]'],
  [{ interfaces: [{}] }, 'prevResult.interfaces[0].name'],
  [{ interfaces: [{ name: 'a', mtu: -1 }] }, 'prevResult.interfaces[0].mtu'],
  [{ ips: [{}] }, 'prevResult.ips[0].address'],
  [{ ips: [{ address: '10.0.0.2' }] }, 'prevResult.ips[0].address'],
  [{ ips: [{ address: '10.0.0.2/33' }] }, 'prevResult.ips[0].address'],
  [{ ips: [{ address: '10.0.0.2/24', gateway: 'x' }] }, 'prevResult.ips[0].gateway'],
  [
    { interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.2/24', interface: 1 }] },
    'prevResult.ips[0].interface',
  ],
  [{ routes: [{ gw: '10.0.0.1' }] }, 'prevResult.routes[0].dst'],
  [{ routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1/24' }] }, 'prevResult.routes[0].gw'],
  [{ routes: [{ dst: '0.0.0.0/0', scope: 256 }] }, 'prevResult.routes[0].scope'],
  [{ dns: { search: 'a' } }, 'prevResult.dns.search'],
  [{ cniVersion: '0.2.0', ip6: { ip: 'fd00::' } }, 'prevResult.ip6.ip'],
  [{ cniVersion: '0.2.0', ip4: [] }, 'prevResult.ip4'],
]
for (const [json, path] of faults) {
  t.test(`parseResult() refuses ${JSON.stringify(json)} by its key`, async t => {
    t.throws(() => parseResult(json, '1.1.0', 'prevResult'), {
      code: CODES['invalid-config'],
      message: `Cannot use "${path}": `,
    })
  })
}

const config = (keys: JsonObject) => parseNetworkConfig({ cniVersion: '0.4.0', name: 'n', ...keys })

t.test('parsePrevResult() is undefined without one', async t => {
  t.equal(parsePrevResult(config({})), undefined)
  t.equal(parsePrevResult(config({ prevResult: null })), undefined)
})

t.test('parsePrevResult() reads the result that the runtime kept', async t => {
  const prevResult = formatResult(FULL_RESULT, '0.4.0')
  t.strictSame(parsePrevResult(config({ prevResult })), carriedBy('0.4.0', FULL_RESULT))
  const { cniVersion, ...bare } = prevResult
  t.equal(cniVersion, '0.4.0')
  t.strictSame(parsePrevResult(config({ prevResult: bare })), carriedBy('0.4.0', FULL_RESULT))
  t.throws(() => parsePrevResult(config({ prevResult: [] })), { message: 'Cannot use "prevResult"' })
})
