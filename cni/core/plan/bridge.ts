import type { IfName } from '../../spec/environment.ts'
import { CniError } from '../../spec/error.ts'
import type { GatewayConfig } from '../config.ts'
import { bridgeAddresses } from '../gateway.ts'
import { vlanPair } from '../names.ts'
import { familiesOf, type Wish } from './wish.ts'
import { type Step, sysctl } from '../step.ts'

/** The bridge itself, up and quiet; made when it is not there. */
export function bridgeSteps({ config, node }: Wish): Step[] {
  const { bridge: name, vlan, trunk, mtu, promisc, mode } = config
  const vlanFiltering = vlan !== undefined || trunk.length > 0
  const quiet = (key: string): Step => sysctl('host', `net/ipv6/conf/${name}/${key}`, '0', true)
  return [
    ...(node.hasBridge
      ? []
      : [{ kind: 'bridge', name, mtu, vlanFiltering } as const, quiet('accept_ra'), quiet('accept_dad')]),
    ...(mode === 'l3' && node.settings.redirects ? noRedirects(name) : []),
    ...(node.hasBridge && !promisc ? [] : [{ kind: 'up', place: 'host', name, promisc } as const]),
  ]
}

/**
 * Routed containers of one bridge reach each other through it, so the kernel would tell them of a shorter way. It
 * sends redirects when either `all` or the interface says so; `all` off leaves every other interface its own value. The
 * bridge's comes last, so where that is off both have been: with a thousand pods writing them again costs 2 ms.
 */
const noRedirects = (bridge: IfName): Step[] =>
  ['all', bridge].map(dev => sysctl('host', `net/ipv4/conf/${dev}/send_redirects`, '0', false))

/** The gateway's addresses on the bridge, or on its VLAN interface, and forwarding. */
export function gatewaySteps(wish: Wish): Step[] {
  const { config, result } = wish
  if (!config.isGateway || result.ips.length === 0) return []
  const name = gatewayInterface(config)
  const siblings = bridgeAddresses(result.ips)
  const addresses = siblings.map((cidr): Step => {
    const conflict = config.forceAddress ? 'replace' : 'refuse'
    return { kind: 'address', place: 'host', name, cidr, dad: false, conflict, siblings }
  })
  return [
    ...vlanInterface(wish),
    ...addresses,
    // What is on for the bridge is on for all: that setting has set each interface's.
    ...familiesOf(result)
      .filter(({ version }) => !wish.node.settings.forwarding[version])
      .map(({ version }) => forwarding(version)),
  ]
}

const forwarding = (version: 4 | 6): Step =>
  sysctl('host', version === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding', '1', false)

/** Where the gateway's address lives: the bridge, or `BRIDGE.VLAN` when containers are in a VLAN. */
export function gatewayInterface({ bridge, vlan }: GatewayConfig): IfName {
  const name = vlan === undefined ? bridge : `${bridge}.${vlan}`
  if (name.length <= 15) return name as IfName
  throw new CniError(
    'invalid-config',
    `Cannot name the gateway's interface "${name}": it has more than 15 characters; shorten "bridge"`,
  )
}

/** The node's own leg in the VLAN: a veth pair whose one end is an access port of the bridge. */
function vlanInterface({ config, node }: Wish): Step[] {
  if (config.vlan === undefined || node.hasVlanInterface) return []
  const peer = gatewayInterface(config)
  const { name, mac, peerMac } = vlanPair(peer)
  const range = { min: config.vlan, max: config.vlan, access: true }
  const mtu = config.mtu ?? node.mtu
  return [
    {
      kind: 'veth',
      name,
      mac,
      peer: { name: peer, mac: peerMac, place: 'host' },
      mtu,
      bridge: config.bridge,
    },
    { kind: 'vlan', action: 'add', name, range },
    { kind: 'up', place: 'host', name, promisc: false },
    { kind: 'up', place: 'host', name: peer, promisc: false },
  ]
}
