import { aliasOf, attachmentPair, containerMac } from '../names.ts'
import { type Step, sysctl } from '../step.ts'
import type { Wish } from './wish.ts'

/** The veth pair and its bridge port; the node's end comes up here. */
export function linkSteps({ config, network, attachment, node }: Wish): Step[] {
  const { name, mac } = attachmentPair(attachment)
  const peerMac = containerMac(config.mac, attachment)
  const peer = { name: attachment.ifname, mac: peerMac, place: 'container' as const }
  const mtu = config.mtu ?? node.mtu
  const access = config.vlan === undefined ? [] : [{ min: config.vlan, max: config.vlan, access: true }]
  const vlans = [...config.trunk, ...access]
  // A routed container sends by the MAC that it was given; a switched one may well be a bridge to others.
  const locked = config.mode === 'l3'
  const dropDefault = vlans.length > 0 && !config.preserveDefaultVlan
  return [
    { kind: 'veth', name, mac, peer, mtu, bridge: config.bridge },
    {
      kind: 'port',
      name,
      // With br_netfilter the bridge itself takes back to a pod what it sends to its own port of the node.
      hairpin: config.hairpin || (config.portMappings.length > 0 && !config.promisc),
      isolated: config.isolated,
      locked,
      alias: aliasOf(network, attachment),
    },
    ...(dropDefault
      ? [{ kind: 'vlan', action: 'del', name, range: { min: 1, max: 1, access: false } } as const]
      : []),
    ...vlans.map(range => ({ kind: 'vlan', action: 'add', name, range }) as const),
    ...(locked ? [{ kind: 'fdb', name, mac: peer.mac } as const] : []),
    // The port itself speaks no IPv6: no address, no router solicitation, no duplicate detection to wait for.
    sysctl('host', `net/ipv6/conf/${name}/disable_ipv6`, '1', true),
    { kind: 'up', place: 'host', name, promisc: false },
  ]
}
