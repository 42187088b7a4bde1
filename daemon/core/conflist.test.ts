import fc from 'fast-check'
import t from 'tap'
import { parsePluginConfig } from '../../cni/core/config.ts'
import { parseNetworkConfig } from '../../cni/spec/config.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import { parseDataDir, parseIpamConfig } from '../../ipam/core/config.ts'
import { type Cidr, type Family, formatCidr, IPV4, IPV6, networkOf } from '../../ipam/core/ip.ts'
import { formatSet } from '../../ipam/core/range.ts'
import { cidr } from '../../test/support/result.ts'
import { formatConflist, pluginConfig } from './conflist.ts'

const V4 = cidr('10.244.1.0/24')
const V6 = cidr('fd00:10:244:1::/64')

/** What a runtime gives to the first plugin: the conflist's name and one of its versions beside the plugin's keys. */
function given(text: string, version: string): JsonObject {
  const { name, plugins } = JSON.parse(text)
  return { cniVersion: version, name, ...plugins[0] }
}

/** A config as the plugin itself reads it. */
function understood(json: JsonObject) {
  const config = parseNetworkConfig(json)
  return {
    network: config.name,
    dataDir: parseDataDir(config),
    plugin: parsePluginConfig(config, new Map()),
    ipam: parseIpamConfig(config, new Map()),
  }
}

t.test('The conflist is what the node needs, and text that people can read', async t => {
  const text = formatConflist({ podCidrs: [V4, V6], mtu: 1450, portIsolation: true })
  t.match(text, /^\{\n {2}"cniVersion": "1\.0\.0",\n/)
  t.match(text, /[^\n]\n$/)
  t.same(JSON.parse(text), {
    cniVersion: '1.0.0',
    cniVersions: ['1.0.0', '1.1.0'],
    name: 'podwire',
    plugins: [
      {
        type: 'podwire',
        bridge: 'cbr0',
        mode: 'l3',
        isDefaultGateway: true,
        forceAddress: true,
        portIsolation: true,
        hairpinMode: false,
        mtu: 1450,
        capabilities: { portMappings: true, bandwidth: true },
        ipam: {
          type: 'podwire-ipam',
          ranges: [[{ subnet: '10.244.1.0/24' }], [{ subnet: 'fd00:10:244:1::/64' }]],
        },
      },
    ],
  })
})

t.test('The plugin understands the conflist in both of its versions', async t => {
  for (const [name, podCidrs, ranges] of [
    ['IPv4', [V4], ['10.244.1.1-10.244.1.254']],
    ['IPv6', [V6], ['fd00:10:244:1::1-fd00:10:244:1:ffff:ffff:ffff:ffff']],
    ['both', [V4, V6], ['10.244.1.1-10.244.1.254', 'fd00:10:244:1::1-fd00:10:244:1:ffff:ffff:ffff:ffff']],
  ] as const) {
    for (const version of ['1.0.0', '1.1.0']) {
      const { network, dataDir, plugin, ipam } = understood(
        given(formatConflist({ podCidrs, mtu: 9000, portIsolation: true }), version),
      )
      t.match(plugin, { bridge: 'cbr0', mode: 'l3', isGateway: true, isDefaultGateway: true, ipMasq: false })
      t.match(plugin, { forceAddress: true, isolated: true, mtu: 9000, ipam: 'podwire-ipam' })
      t.same(ipam.sets.map(formatSet), ranges, `${name}, ${version}`)
      t.same([network, dataDir], ['podwire', '/run/podwire/ipam'])
    }
  }
})

t.test('Any podCIDRs of a cluster become ranges of their own', async t => {
  const podCidr = (family: Family, widest: number, narrowest: number): fc.Arbitrary<Cidr> =>
    fc
      .tuple(
        fc.bigInt({ min: 0n, max: (1n << BigInt(family.bits)) - 1n }),
        fc.integer({ min: widest, max: narrowest }),
      )
      .map(([value, prefix]) => ({ ip: { family, value }, prefix }))
  const both = [podCidr(IPV4, 8, 30), podCidr(IPV6, 16, 126)]
  fc.assert(
    fc.property(
      fc.tuple(...both),
      fc.integer({ min: 68, max: 65535 }),
      fc.boolean(),
      (podCidrs, mtu, portIsolation) => {
        const text = formatConflist({ podCidrs, mtu, portIsolation })
        const { ipam, plugin } = understood(given(text, '1.1.0'))
        t.same([plugin.mtu, plugin.isolated, plugin.hairpin], [mtu, portIsolation, !portIsolation])
        t.same(
          ipam.sets.map(([range]) => formatCidr(range.subnet)),
          podCidrs.map(networkOf).map(formatCidr),
        )
      },
    ),
  )
})

t.test('Equal networks make equal text, so that nothing is written for nothing', async t => {
  const network = { podCidrs: [V4, V6], mtu: 1500, portIsolation: true }
  t.equal(formatConflist(network), formatConflist({ ...network, podCidrs: [cidr('10.244.1.7/24'), V6] }))
  t.not(formatConflist(network), formatConflist({ ...network, mtu: 1450 }))
})

t.test('Without podCIDRs there is no conflist', async t => {
  t.throws(
    () => formatConflist({ podCidrs: [], mtu: 1500, portIsolation: true }),
    /^Cannot write 10-podwire\.conflist: /,
  )
})

t.test('The plugin is called as a runtime would call it', async t => {
  const network = { podCidrs: [V4, V6], mtu: 1500, portIsolation: true }
  const asRead = given(formatConflist(network), '1.1.0')
  t.strictSame(JSON.parse(JSON.stringify(pluginConfig(network))), asRead)
  t.strictSame(understood(pluginConfig(network)), understood(asRead))
})

t.test('What DEL and GC go by needs no podCIDRs', async t => {
  const { network, dataDir, plugin, ipam } = understood(
    pluginConfig({ podCidrs: [], mtu: undefined, portIsolation: true }),
  )
  t.same([network, dataDir, plugin.ipam], ['podwire', '/run/podwire/ipam', 'podwire-ipam'])
  t.same([ipam.sets, plugin.mtu], [[], undefined])
})
