import { CniError } from '../spec/error.ts'
import { type IfName, parseIfName } from '../spec/environment.ts'
import { Reader } from '../spec/read.ts'
import { type Bandwidth, parseBandwidth } from './bandwidth.ts'
import { type Mac, parseMac } from './mac.ts'
import { parsePortMappings, type PortMapping } from './port-mapping.ts'
import type { VlanRange } from './netlink/port.ts'
import type { NetworkConfig } from '../spec/config.ts'

/** The plugin's config: every key of the reference `bridge` plugin with its meaning there, those of `bandwidth`, and `mode`. */
export interface PluginConfig {
  readonly bridge: IfName
  /** `l2`: the bridge switches a subnet's traffic. `l3`: every packet is routed through the bridge's own address. */
  readonly mode: 'l2' | 'l3'
  /** The bridge carries the gateway's address. */
  readonly isGateway: boolean
  /** The container's default route goes to that gateway. */
  readonly isDefaultGateway: boolean
  /** An address of another subnet on the bridge is replaced rather than refused. */
  readonly forceAddress: boolean
  readonly ipMasq: boolean
  /** Bytes; undefined for that of the default route's interface. */
  readonly mtu: number | undefined
  readonly hairpin: boolean
  readonly promisc: boolean
  /** The access VLAN's id; undefined for none. */
  readonly vlan: number | undefined
  readonly trunk: readonly VlanRange[]
  readonly preserveDefaultVlan: boolean
  readonly isolated: boolean
  readonly macSpoofCheck: boolean
  /** False: the container's interface stays down and unaddressed (`disableContainerInterface`). */
  readonly containerUp: boolean
  /** Duplicate address detection for IPv6, and ADD waits for its end (`enabledad`). */
  readonly dad: boolean
  readonly mac: Mac | undefined
  readonly bandwidth: Bandwidth
  readonly portMappings: readonly PortMapping[]
  /** The address plugin's type; undefined for an attachment without addresses. */
  readonly ipam: string | undefined
}

/** The keys that say where the gateway's address is. */
export type GatewayConfig = Pick<PluginConfig, 'bridge' | 'vlan'>

const refuse = (message: string): never => {
  throw new CniError('invalid-config', message)
}

/** Reads the plugin's keys. Throws `invalid-config`, or `invalid-environment` for CNI_ARGS. */
export function parsePluginConfig(config: NetworkConfig, args: ReadonlyMap<string, string>): PluginConfig {
  const { keys } = config
  const mode = readMode(keys.string('mode') ?? 'l2')
  const isDefaultGateway = keys.boolean('isDefaultGateway') ?? false
  const ipam = keys.object('ipam').string('type')
  const parsed: PluginConfig = {
    ...parseGatewayConfig(keys),
    mode,
    isGateway: isDefaultGateway || mode === 'l3' || (keys.boolean('isGateway') ?? false),
    isDefaultGateway,
    forceAddress: keys.boolean('forceAddress') ?? false,
    ipMasq: keys.boolean('ipMasq') ?? false,
    mtu: readMtu(keys),
    hairpin: keys.boolean('hairpinMode') ?? false,
    promisc: keys.boolean('promiscMode') ?? false,
    trunk: keys.objects('vlanTrunk')?.flatMap(readTrunk) ?? [],
    preserveDefaultVlan: keys.boolean('preserveDefaultVlan') ?? true,
    isolated: keys.boolean('portIsolation') ?? false,
    macSpoofCheck: keys.boolean('macspoofchk') ?? false,
    containerUp: !(keys.boolean('disableContainerInterface') ?? false),
    dad: keys.boolean('enabledad') ?? false,
    mac: readMac(keys, args),
    bandwidth: parseBandwidth(keys),
    portMappings: parsePortMappings(keys),
    ipam: ipam === '' ? undefined : ipam,
  }
  refuseConflicts(parsed)
  return parsed
}

/** Reads those keys alone. Throws `invalid-config`. */
export const parseGatewayConfig = (keys: Reader): GatewayConfig => ({
  bridge: parseIfName(keys.string('bridge') || 'cbr0', '"bridge"', 'invalid-config'),
  vlan: keys.integer('vlan', 0, 4094) || undefined,
})

function readMode(mode: string): 'l2' | 'l3' {
  return mode === 'l2' || mode === 'l3' ? mode : refuse(`Cannot use "mode": "${mode}"; it is "l2" or "l3"`)
}

/** 0 is none, as Go programs write it; what the kernel takes for an Ethernet link starts at the 68 bytes of RFC 791. */
function readMtu(keys: Reader): number | undefined {
  const mtu = keys.integer('mtu', 0, 65535) || undefined
  return mtu === undefined || mtu >= 68
    ? mtu
    : refuse(`Cannot use "mtu": ${mtu}; the smallest is 68, with IPv6 addresses 1280`)
}

function refuseConflicts(config: PluginConfig): void {
  if (config.vlan !== undefined && config.trunk.length > 0) {
    refuse(
      'Cannot use "vlan" and "vlanTrunk" together: a container is in one VLAN, or its port is a trunk; leave one of them out',
    )
  }
  if (config.hairpin && config.promisc) {
    refuse(
      'Cannot use "hairpinMode" and "promiscMode" together: packets would arrive twice; leave one of them out',
    )
  }
  if (!config.containerUp && config.ipam !== undefined) {
    refuse(
      'Cannot use "ipam" with "disableContainerInterface": an interface that is down takes no address; leave one of them out',
    )
  }
  if (config.mode === 'l3' && config.ipam === undefined) {
    refuse('Cannot use "mode": "l3" without "ipam": a routed container needs an address')
  }
}

/** `{"minID": 10, "maxID": 20}` or `{"id": 30}`, or both in one item. */
function readTrunk(item: Reader): VlanRange[] {
  const id = item.integer('id', 1, 4094)
  const min = item.integer('minID', 1, 4094)
  const max = item.integer('maxID', 1, 4094)
  const single = id === undefined ? [] : [{ min: id, max: id, access: false }]
  if (min !== undefined && max !== undefined && min <= max) return [{ min, max, access: false }, ...single]
  if (min === undefined && max === undefined && id !== undefined) return single
  return refuse(
    `Cannot use an item of "${item.path('id').replace(/\.id$/, '')}": give "id", or "minID" and a "maxID" that is not smaller`,
  )
}

/**
 * The MAC that is asked for, by rising precedence: CNI_ARGS, `args.cni.mac`, `runtimeConfig.mac`. Throws `invalid-config`.
 */
export function readMac(keys: Reader, args: ReadonlyMap<string, string>): Mac | undefined {
  const text =
    keys.object('runtimeConfig').string('mac') ||
    keys.object('args').object('cni').string('mac') ||
    args.get('MAC')
  if (text === undefined || text === '') return undefined
  return (
    parseMac(text) ??
    refuse(
      `Cannot use the MAC address "${text.slice(0, 40)}": it must be a unicast address such as 02:00:00:00:00:01`,
    )
  )
}

/** Whether a config puts rules into the table; without, nft is not even looked for. */
export const hasRules = ({ keys }: NetworkConfig): boolean =>
  keys.value('ipMasq') === true || keys.value('macspoofchk') === true
