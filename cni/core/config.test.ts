import t from 'tap'
import { config, network } from '../../test/support/wish.ts'
import type { JsonObject } from '../spec/read.ts'
import { hasRules } from './config.ts'

const DEFAULTS = {
  bridge: 'cbr0',
  mode: 'l2',
  isGateway: false,
  isDefaultGateway: false,
  forceAddress: false,
  ipMasq: false,
  mtu: undefined,
  hairpin: false,
  promisc: false,
  vlan: undefined,
  trunk: [],
  preserveDefaultVlan: true,
  isolated: false,
  macSpoofCheck: false,
  containerUp: true,
  dad: false,
  mac: undefined,
  bandwidth: { ingress: undefined, egress: undefined },
  portMappings: [],
  ipam: undefined,
}
const MAC = (last: number): string => `02:00:00:00:00:0${last}`

t.test('parsePluginConfig() has a default for every key', t => {
  t.strictSame(config(), DEFAULTS)
  t.end()
})

t.test('parsePluginConfig() reads every key of the reference, and mode', t => {
  const given: readonly (readonly [JsonObject, object])[] = [
    [{ bridge: 'br7' }, { bridge: 'br7' }],
    [{ mode: 'l2' }, {}],
    [
      { mode: 'l3', ipam: { type: 'host-local' } },
      { mode: 'l3', isGateway: true, ipam: 'host-local' },
    ],
    [{ isGateway: true }, { isGateway: true }],
    [{ isDefaultGateway: true }, { isGateway: true, isDefaultGateway: true }],
    [{ forceAddress: true }, { forceAddress: true }],
    [{ ipMasq: true }, { ipMasq: true }],
    [{ mtu: 9000 }, { mtu: 9000 }],
    [{ mtu: 68 }, { mtu: 68 }],
    [{ hairpinMode: true }, { hairpin: true }],
    [{ promiscMode: true }, { promisc: true }],
    [{ vlan: 4094 }, { vlan: 4094 }],
    [{ vlan: 4094, vlanTrunk: [] }, { vlan: 4094 }],
    [{ preserveDefaultVlan: false }, { preserveDefaultVlan: false }],
    [{ portIsolation: true }, { isolated: true }],
    [{ macspoofchk: true }, { macSpoofCheck: true }],
    [{ disableContainerInterface: true }, { containerUp: false }],
    [{ enabledad: true }, { dad: true }],
    [{ runtimeConfig: { mac: MAC(1) } }, { mac: MAC(1) }],
    [{ args: { cni: { mac: MAC(1) } } }, { mac: MAC(1) }],
    [
      { egressRate: 8, egressBurst: 16 },
      { bandwidth: { ingress: undefined, egress: { rate: 8, burst: 16 } } },
    ],
    [
      { runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80 }] } },
      { portMappings: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: undefined }] },
    ],
    [{ ipam: { type: 'host-local' } }, { ipam: 'host-local' }],
  ]
  for (const [keys, read] of given) t.strictSame(config(keys), { ...DEFAULTS, ...read }, JSON.stringify(keys))
  t.end()
})

t.test('parsePluginConfig() takes null, 0 and "" for absent, as Go programs write them', t => {
  const keys = ['bridge', 'mode', 'isGateway', 'mtu', 'vlan', 'vlanTrunk', 'ipam', 'args', 'runtimeConfig']
  t.strictSame(config(Object.fromEntries(keys.map(key => [key, null]))), DEFAULTS)
  t.strictSame(
    config({ bridge: '', mtu: 0, vlan: 0, ipam: { type: '' }, runtimeConfig: { mac: '' } }, { MAC: '' }),
    DEFAULTS,
  )
  t.end()
})

t.test('parsePluginConfig() reads a VLAN trunk of ids, ranges, or both in one item', t => {
  const range = (min: number, max: number) => ({ min, max, access: false })
  const vlanTrunk = [{ id: 5 }, { minID: 10, maxID: 20 }, { minID: 30, maxID: 30, id: 40 }]
  t.strictSame(config({ vlanTrunk }).trunk, [range(5, 5), range(10, 20), range(30, 30), range(40, 40)])
  t.end()
})

t.test('parsePluginConfig() takes the MAC of runtimeConfig before args.cni before CNI_ARGS', t => {
  const fromArgs = { MAC: MAC(1) }
  const fromConfig = { args: { cni: { mac: MAC(2) } } }
  t.equal(config({}, fromArgs).mac, MAC(1))
  t.equal(config(fromConfig, fromArgs).mac, MAC(2))
  t.equal(config({ ...fromConfig, runtimeConfig: { mac: MAC(3) } }, fromArgs).mac, MAC(3))
  t.equal(config({ ...fromConfig, runtimeConfig: { mac: '' } }, fromArgs).mac, MAC(2), 'empty is none')
  t.end()
})

t.test('parsePluginConfig() names the key that it refuses', t => {
  const refused: readonly (readonly [JsonObject, RegExp])[] = [
    [{ bridge: 'sixteen-letters-' }, /"bridge" "sixteen-letters-": .*15/],
    [{ bridge: 'a/b' }, /"bridge" "a\/b"/],
    [{ bridge: 7 }, /"bridge": expected a string, got 7/],
    [{ mode: 'l4' }, /"mode": "l4"; it is "l2" or "l3"/],
    [{ mode: 'l3' }, /"mode": "l3" without "ipam"/],
    [{ isGateway: 'yes' }, /"isGateway": expected true or false, got "yes"/],
    [{ mtu: -1 }, /"mtu": expected a whole number from 0 to 65535/],
    [{ mtu: 1 }, /"mtu": 1; the smallest is 68/],
    [{ mtu: 67 }, /"mtu": 67; the smallest is 68/],
    [{ vlan: 5, vlanTrunk: [{ id: 6 }] }, /"vlan" and "vlanTrunk" together/],
    [{ vlan: 4095 }, /"vlan": .* from 0 to 4094/],
    [{ vlanTrunk: {} }, /"vlanTrunk": expected a list/],
    [{ vlanTrunk: [5] }, /"vlanTrunk\[0\]": expected an object/],
    [{ vlanTrunk: [{ id: 1 }, {}] }, /item of "vlanTrunk\[1\]": give "id"/],
    [{ vlanTrunk: [{ minID: 5 }] }, /item of "vlanTrunk\[0\]": .*"maxID"/],
    [{ vlanTrunk: [{ maxID: 5, id: 5 }] }, /item of "vlanTrunk\[0\]"/],
    [{ vlanTrunk: [{ minID: 6, maxID: 5 }] }, /item of "vlanTrunk\[0\]"/],
    [{ vlanTrunk: [{ id: 0 }] }, /"vlanTrunk\[0\]\.id": .* from 1 to 4094/],
    [{ ipam: 'host-local' }, /"ipam": expected an object/],
    [{ hairpinMode: true, promiscMode: true }, /"hairpinMode" and "promiscMode" together/],
    [{ disableContainerInterface: true, ipam: { type: 'x' } }, /"ipam" with "disableContainerInterface"/],
    [{ runtimeConfig: { mac: 'ff:ff:ff:ff:ff:ff' } }, /MAC address "ff:ff:ff:ff:ff:ff": .*unicast/],
    [{ args: { cni: { mac: 5 } } }, /"args\.cni\.mac": expected a string/],
  ]
  for (const [keys, message] of refused)
    t.throws(() => config(keys), { kind: 'invalid-config', message }, JSON.stringify(keys))
  t.end()
})

t.test('hasRules() is true for the two keys that put rules into the table', t => {
  t.equal(hasRules(network()), false)
  t.equal(hasRules(network({ ipMasq: false, macspoofchk: null })), false)
  t.equal(hasRules(network({ ipMasq: true })), true)
  t.equal(hasRules(network({ macspoofchk: true })), true)
  t.end()
})
