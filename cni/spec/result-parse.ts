import { type Cidr, type Ip, parseCidr, parseIp } from '../../ipam/core/ip.ts'
import type { NetworkConfig } from './config.ts'
import { CniError } from './error.ts'
import { present } from './present.ts'
import { type JsonObject, Reader } from './read.ts'
import type { Dns, Result, ResultInterface, ResultIp, Route } from './result.ts'
import { type CniVersion, isAtLeast, VERSIONS } from './version.ts'

const U32 = 2 ** 32 - 1

const refuse = (path: string, expected: string, value: string): never => {
  throw new CniError(
    'invalid-config',
    `Cannot use "${path}": expected ${expected}, got "${value.slice(0, 80)}"`,
  )
}

/**
 * Reads the result of another plugin, in the shape of its own `cniVersion`; a result that has none is in the shape
 * of the config that it answers (`version`). `path` is where it stands, for messages: `prevResult`, or '' for a whole
 * output. Throws `invalid-config` that names the key; a caller that reads a delegate's output gives it its own kind.
 */
export function parseResult(json: JsonObject, version: CniVersion, path: string): Result {
  return readResult(new Reader(json, path), version)
}

/** The result of the plugin before us in the list, which CHECK and DEL get too; undefined when there is none. */
export function parsePrevResult(config: NetworkConfig): Result | undefined {
  if (config.keys.value('prevResult') === undefined) return undefined
  return readResult(config.keys.object('prevResult'), config.version)
}

function readResult(result: Reader, version: CniVersion): Result {
  const legacy = !isAtLeast(readVersion(result) ?? version, '0.3.0')
  return legacy ? parseFamilies(result) : parseLists(result)
}

function readVersion(result: Reader): CniVersion | undefined {
  const text = filled(result, 'cniVersion')
  if (text === undefined) return undefined
  return (
    VERSIONS.find(v => v === text) ?? refuse(result.path('cniVersion'), `one of ${VERSIONS.join(', ')}`, text)
  )
}

/** 0.1.0 and 0.2.0: one address a family, its routes beside it. */
function parseFamilies(result: Reader): Result {
  const families = ['ip4', 'ip6']
    .filter(key => result.value(key) !== undefined)
    .map(key => result.object(key))
  return {
    interfaces: [],
    ips: families.map(family => parseIpIn(family, 'ip')),
    routes: families.flatMap(family => family.objects('routes')?.map(parseRoute) ?? []),
    dns: parseDns(result.object('dns')),
  }
}

/** From 0.3.0 on. `ips[].version`, gone in 1.0.0, is not looked at: the address says it. */
function parseLists(result: Reader): Result {
  const interfaces = result.objects('interfaces')?.map(parseInterface) ?? []
  return {
    interfaces,
    ips: result.objects('ips')?.map(ip => parseLocatedIp(ip, interfaces.length)) ?? [],
    routes: result.objects('routes')?.map(parseRoute) ?? [],
    dns: parseDns(result.object('dns')),
  }
}

function parseInterface(item: Reader): ResultInterface {
  return present({
    name: item.string('name') ?? refuse(item.path('name'), 'an interface name', 'nothing'),
    mac: filled(item, 'mac'),
    mtu: item.integer('mtu', 0, U32),
    sandbox: filled(item, 'sandbox'),
  })
}

function parseLocatedIp(item: Reader, interfaces: number): ResultIp {
  // Some address plugins send an index although they have no interfaces.
  const index = interfaces === 0 ? undefined : item.integer('interface', 0, interfaces - 1)
  return { ...parseIpIn(item, 'address'), ...present({ interface: index }) }
}

function parseIpIn(item: Reader, key: 'ip' | 'address'): ResultIp {
  return present({ address: readCidr(item, key), gateway: readIp(item, 'gateway') })
}

function parseRoute(item: Reader): Route {
  return present({
    dst: readCidr(item, 'dst'),
    gw: readIp(item, 'gw'),
    mtu: item.integer('mtu', 0, U32),
    advmss: item.integer('advmss', 0, U32),
    priority: item.integer('priority', 0, U32),
    table: item.integer('table', 0, U32),
    scope: item.integer('scope', 0, 255),
  })
}

/** Reads a `dns` object, of a result or of a config. */
export function parseDns(dns: Reader): Dns {
  return present({
    nameservers: dns.strings('nameservers'),
    domain: filled(dns, 'domain'),
    search: dns.strings('search'),
    options: dns.strings('options'),
  })
}

/** A string of at least one character: Go programs write "" for what they do not have. */
function filled(item: Reader, key: string): string | undefined {
  const text = item.string(key)
  return text === '' ? undefined : text
}

function readCidr(item: Reader, key: string): Cidr {
  const text = item.string(key) ?? ''
  return parseCidr(text) ?? refuse(item.path(key), 'an address with a prefix length', text)
}

function readIp(item: Reader, key: string): Ip | undefined {
  const text = filled(item, key)
  return text === undefined ? undefined : (parseIp(text) ?? refuse(item.path(key), 'an address', text))
}
