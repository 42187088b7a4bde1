import { FAMILIES, type Family, type Ip } from '../../ipam/core/ip.ts'
import type { NetworkName } from '../spec/config.ts'
import type { Attachment } from '../spec/environment.ts'
import type { Result } from '../spec/result.ts'
import type { PluginConfig } from './config.ts'
import { aliasOf, attachmentPair, networkTag } from './names.ts'
import { bridgeSteps, gatewaySteps } from './plan-bridge.ts'
import { routeSteps } from './plan-routes.ts'
import { masqueradeAgainScript, masqueradeScript, type Owner, spoofCheckScript } from './rules.ts'
import type { Step, SysctlStep } from './step.ts'

/** All that a plan follows from. */
export interface Wish {
  readonly config: PluginConfig
  readonly network: NetworkName
  readonly attachment: Attachment
  /** Addresses, gateways (completed) and routes. */
  readonly result: Result
  readonly node: Node
}

/** What the plan has to know of the node it is for. */
export interface Node {
  readonly hasBridge: boolean
  /** Whether the bridge's VLAN interface is there; only looked at when the config names a VLAN. */
  readonly hasVlanInterface: boolean
  /** The MTU for a config that names none: that of the default route's interface. */
  readonly mtu: number
}

/** The families that the attachment has an address of. */
export const familiesOf = (result: Result): Family[] =>
  FAMILIES.filter(family => result.ips.some(ip => ip.address.ip.family === family))

/**
 * Everything that wires one attachment, in the order in which it must happen.
 * The container's end comes up after the node's: then its first frame finds a port that forwards.
 */
export function plan(wish: Wish): Step[] {
  return [
    ...bridgeSteps(wish),
    ...gatewaySteps(wish),
    ...linkSteps(wish),
    ...(wish.config.containerUp ? interfaceSteps(wish) : []),
    ...rulesSteps(wish),
  ]
}

/** The veth pair and its bridge port; both ends still down. */
function linkSteps({ config, network, attachment, node }: Wish): Step[] {
  const { name, mac, peerMac } = attachmentPair(attachment)
  const peer = { name: attachment.ifname, mac: config.mac ?? peerMac, place: 'container' as const }
  const mtu = config.mtu ?? node.mtu
  const access = config.vlan === undefined ? [] : [{ min: config.vlan, max: config.vlan, access: true }]
  const vlans = [...config.trunk, ...access]
  const dropDefault = vlans.length > 0 && !config.preserveDefaultVlan
  return [
    { kind: 'veth', name, mac, peer, mtu, bridge: config.bridge },
    {
      kind: 'port',
      name,
      hairpin: config.hairpin,
      isolated: config.isolated,
      alias: aliasOf(network, attachment),
    },
    ...(dropDefault
      ? [{ kind: 'vlan', action: 'del', name, range: { min: 1, max: 1, access: false } } as const]
      : []),
    ...vlans.map(range => ({ kind: 'vlan', action: 'add', name, range }) as const),
    // The port itself speaks no IPv6: no address, no router solicitation, no duplicate detection to wait for.
    sysctl('host', `net/ipv6/conf/${name}/disable_ipv6`, '1', true),
    { kind: 'up', place: 'host', name, promisc: false },
  ]
}

/** The container's interface: settings, addresses, up, routes. */
function interfaceSteps(wish: Wish): Step[] {
  const { config, attachment, result } = wish
  const name = attachment.ifname
  const pair = attachmentPair(attachment)
  const mac = config.mac ?? pair.peerMac
  const up: Step = { kind: 'up', place: 'container', name, promisc: false }
  const forward: Step = { kind: 'forward', name: pair.name }
  if (result.ips.length === 0) return [up, forward]
  return [
    ...familiesOf(result).flatMap(family => interfaceSysctls(wish, family)),
    ...containerAddresses(wish),
    up,
    forward,
    ...routeSteps(wish),
    { kind: 'announce', name, mac },
    ...(config.dad ? [{ kind: 'settle', name } as const] : []),
  ]
}

function interfaceSysctls({ config, attachment: { ifname } }: Wish, family: Family): Step[] {
  const set = (key: string, value: string): Step => sysctl('container', `net/${key}`, value, false)
  // A redirect would let a routed container talk past the bridge's address.
  const redirects = config.mode === 'l3'
  if (family.version === 4) {
    return [
      set(`ipv4/conf/${ifname}/arp_notify`, '1'),
      ...(redirects ? ['all', ifname].map(dev => set(`ipv4/conf/${dev}/accept_redirects`, '0')) : []),
    ]
  }
  const dad = config.dad ? '1' : '0'
  return [
    ...['lo', ifname].map(dev => set(`ipv6/conf/${dev}/disable_ipv6`, '0')),
    ...['accept_dad', 'enhanced_dad'].map(key => set(`ipv6/conf/${ifname}/${key}`, dad)),
    set(`ipv6/conf/${ifname}/keep_addr_on_down`, '1'),
    set(`ipv6/conf/${ifname}/ndisc_notify`, '1'),
    ...(redirects ? [set(`ipv6/conf/${ifname}/accept_redirects`, '0')] : []),
  ]
}

function containerAddresses({ config, attachment, result }: Wish): Step[] {
  return result.ips.map(({ address }) => ({
    kind: 'address',
    place: 'container',
    name: attachment.ifname,
    cidr: config.mode === 'l3' ? { ip: address.ip, prefix: address.ip.family.bits } : address,
    dad: config.dad && address.ip.family.version === 6,
    conflict: 'keep',
    siblings: [],
  }))
}

/** The table's rules for this attachment. */
function rulesSteps({ config, network, attachment, result }: Wish): Step[] {
  const pair = attachmentPair(attachment)
  const owner: Owner = { network: networkTag(network), veth: pair.name }
  const mac = config.mac ?? pair.peerMac
  const cidrs = result.ips.map(ip => ip.address)
  const addresses: Ip[] = cidrs.map(cidr => cidr.ip)
  return [
    ...(config.macSpoofCheck
      ? [
          {
            kind: 'rules',
            purpose: 'spoof-check',
            owner,
            addresses: [],
            scripts: [spoofCheckScript(owner, mac)],
          } as const,
        ]
      : []),
    ...(config.ipMasq && cidrs.length > 0
      ? [
          {
            kind: 'rules',
            purpose: 'masquerade',
            owner,
            addresses,
            scripts: [masqueradeAgainScript(owner, cidrs), masqueradeScript(owner, cidrs)],
          } as const,
        ]
      : []),
  ]
}

/** A setting as a step. */
export const sysctl = (
  place: SysctlStep['place'],
  key: string,
  value: string,
  optional: boolean,
): SysctlStep => ({
  kind: 'sysctl',
  place,
  key,
  value,
  optional,
})
