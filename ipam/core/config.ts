import type { NetworkConfig } from '../../cni/spec/config.ts'
import { CniError } from '../../cni/spec/error.ts'
import { type Json, Reader, readList, readString } from '../../cni/spec/read.ts'
import { parseResult } from '../../cni/spec/result-parse.ts'
import type { Route } from '../../cni/spec/result.ts'
import { isAtLeast, NEWEST } from '../../cni/spec/version.ts'
import { type Cidr, FAMILIES, type Ip, parseCidr, parseIp } from './ip.ts'
import { type RangeSet, readRange, readRangeSet, refuseOverlaps } from './range.ts'

/** Keys of CNI_ARGS that are not an error here: ours, and `MAC`, which the plugin that calls us in process acts on. */
export const KNOWN_ARGS: ReadonlySet<string> = new Set(['IP', 'MAC'])

/** Gone with a reboot, as the containers are that held the addresses (containernetworking/plugins#252). */
export const DEFAULT_DATA_DIR = '/run/podwire/ipam'

/** What `ipam` of the network config says, with all that a runtime adds to it. */
export interface IpamConfig {
  /** Empty when nobody gave a range. */
  readonly sets: readonly RangeSet[]
  /** Networks within the ranges of which no address is given out; ours, the reference has no such key. */
  readonly exclude: readonly Cidr[]
  /** Passed on in the result as they are. */
  readonly routes: readonly Route[]
  /** A file in the form of resolv.conf, whose content becomes the result's `dns`. */
  readonly resolvConf: string | undefined
  /** Addresses that the runtime asks for by name. */
  readonly requested: readonly Ip[]
}

/** Reads the folder that holds all networks' addresses: all that DEL and GC need. Throws `invalid-config`. */
export function parseDataDir(config: NetworkConfig): string {
  const ipam = config.keys.object('ipam')
  const folder = ipam.string('dataDir') ?? ''
  if (folder.includes('\0'))
    throw new CniError('invalid-config', `Cannot use "${ipam.path('dataDir')}": a path has no NUL character`)
  return folder === '' ? DEFAULT_DATA_DIR : folder
}

/** Reads all that the IPAM acts on, as the reference host-local does. Throws `invalid-config`. */
export function parseIpamConfig(config: NetworkConfig, args: ReadonlyMap<string, string>): IpamConfig {
  const ipam = config.keys.object('ipam')
  return {
    sets: parseSets(config),
    exclude: ipam.list('exclude', readExclude) ?? [],
    routes: parseRoutes(ipam),
    resolvConf: ipam.string('resolvConf') || undefined,
    requested: parseRequested(config.keys, args),
  }
}

/** The range sets, in the order that numbers them: the runtime's, the one of the old top-level keys, `ranges`. */
function parseSets(config: NetworkConfig): RangeSet[] {
  const ipam = config.keys.object('ipam')
  const sets = [
    ...(config.keys.object('runtimeConfig').list('ipRanges', readRangeSet) ?? []),
    ...(ipam.value('subnet') === undefined ? [] : [[readRange(ipam)] as const]),
    ...(ipam.list('ranges', readRangeSet) ?? []),
  ]
  refuseOverlaps(sets)
  if (!isAtLeast(config.version, '0.3.0')) refuseSeveral(sets, config.version)
  return sets
}

/** A result before 0.3.0 has room for one address of each family. */
function refuseSeveral(sets: readonly RangeSet[], version: string): void {
  for (const family of FAMILIES) {
    if (sets.filter(set => set[0].start.family === family).length <= 1) continue
    throw new CniError(
      'invalid-config',
      `Cannot use several IPv${family.version} range sets with cniVersion ${version}: raise "cniVersion" to 0.3.0 or newer, or keep one set`,
    )
  }
}

/** The routes of a config have the shape of a result's. */
function parseRoutes(ipam: Reader): readonly Route[] {
  return parseResult({ routes: ipam.value('routes') }, NEWEST, 'ipam').routes
}

function readExclude(item: Json, path: string): Cidr {
  const text = readString(item, path)
  const cidr = parseCidr(text)
  if (cidr !== undefined) return cidr
  throw new CniError(
    'invalid-config',
    `Cannot use "${path}": expected a network such as "10.1.0.8/29", got "${text.slice(0, 80)}"`,
  )
}

/** CNI_ARGS first, then `args.cni.ips`, then `runtimeConfig.ips`, the order in which the reference serves them. */
function parseRequested(keys: Reader, args: ReadonlyMap<string, string>): Ip[] {
  const fromArgs = args.get('IP') ?? ''
  return [
    ...readList(fromArgs === '' ? [] : fromArgs.split(','), 'CNI_ARGS.IP', readRequested),
    ...(keys.object('args').object('cni').list('ips', readRequested) ?? []),
    ...(keys.object('runtimeConfig').list('ips', readRequested) ?? []),
  ]
}

/** `address` or `address/prefix`. The prefix is not used: the result carries that of the subnet. */
function readRequested(item: Json, path: string): Ip {
  const text = readString(item, path).trim()
  const ip = parseIp(text) ?? parseCidr(text)?.ip
  if (ip !== undefined) return ip
  throw new CniError(
    'invalid-config',
    `Cannot use "${path}": expected an address, got "${text.slice(0, 80)}"`,
  )
}
