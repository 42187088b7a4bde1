import type { Family } from '../../../ipam/core/ip.ts'
import { attachmentPair, containerMac } from '../names.ts'
import { type Step, sysctl } from '../step.ts'
import { gatewayInterface } from './bridge.ts'
import { routeSteps } from './routes.ts'
import { familiesOf, type Wish } from './wish.ts'

/** The container's interface: settings, addresses, up, routes. */
export function interfaceSteps(wish: Wish): Step[] {
  const { config, attachment, result } = wish
  const name = attachment.ifname
  const pair = attachmentPair(attachment)
  const up: Step = { kind: 'up', place: 'container', name, promisc: false }
  const forward: Step = { kind: 'forward', name: pair.name }
  if (result.ips.length === 0) return [up, forward]
  return [
    ...familiesOf(result).flatMap(family => interfaceSysctls(wish, family)),
    ...containerAddresses(wish),
    up,
    ...routeSteps(wish),
    // After the routes: by then the kernel has mostly seen the carrier that it waits for.
    forward,
    ...introduction(wish),
    ...(config.dad ? [{ kind: 'settle', name } as const] : []),
  ]
}

/**
 * Who remembers another's MAC with this address learns of it: in l2 whoever is on the bridge, in l3 the node alone, for
 * nobody else talks to the container there. An announcement goes to every port, which a thousand of them make slow.
 */
function introduction({ config, attachment, result }: Wish): Step[] {
  const mac = containerMac(config.mac, attachment)
  if (config.mode === 'l2') return [{ kind: 'announce', name: attachment.ifname, mac }]
  const name = gatewayInterface(config)
  return result.ips.map(({ address }) => ({ kind: 'neighbour', name, ip: address.ip, mac }))
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
