import type { Reader } from '../spec/read.ts'
import type { AttachmentCall } from '../spec/plugin.ts'
import { parseDns } from '../spec/result-parse.ts'
import type { Dns, Result, ResultInterface, ResultIp } from '../spec/result.ts'
import type { PluginConfig } from './config.ts'
import { attachmentIfb, attachmentPair, containerMac } from './names.ts'
import type { Link } from './netlink/link.ts'

/** What the kernel alone knows of a finished attachment. */
export interface Made {
  /** Bytes, of both veth ends. */
  readonly mtu: number
  readonly bridge: Link | undefined
}

/** The interfaces of a result, in this order; an address is the container interface's. */
const CONTAINER = 2

/** The result of an ADD: bridge, host veth, container interface and ifb device; the addresses are the third's. */
export function describe(call: AttachmentCall, config: PluginConfig, result: Result, made: Made): Result {
  const ips = result.ips.map(ip => ({ ...ip, address: onInterface(config, ip), interface: CONTAINER }))
  return {
    interfaces: interfaces(call, config, made),
    ips,
    routes: result.routes,
    dns: dns(call.config.keys, result),
  }
}

function interfaces(call: AttachmentCall, config: PluginConfig, { mtu, bridge }: Made): ResultInterface[] {
  const { name, mac } = attachmentPair(call.attachment)
  return [
    {
      name: config.bridge,
      ...(bridge?.mac === undefined ? {} : { mac: bridge.mac }),
      mtu: bridge?.mtu ?? mtu,
    },
    { name, mac, mtu },
    {
      name: call.attachment.ifname,
      mac: containerMac(config.mac, call.attachment),
      mtu,
      sandbox: call.netns,
    },
    ...(config.bandwidth.egress === undefined ? [] : [{ ...attachmentIfb(call.attachment), mtu }]),
  ]
}

/** The address as the interface carries it: in `l3` it stands alone. */
const onInterface = (config: PluginConfig, { address }: ResultIp): ResultIp['address'] =>
  config.mode === 'l3' ? { ip: address.ip, prefix: address.ip.family.bits } : address

/** The config's own `dns`, when it has any, else the address plugin's. */
function dns(keys: Reader, result: Result): Dns {
  const own = parseDns(keys.object('dns'))
  return Object.keys(own).length > 0 ? own : result.dns
}
