import { formatCidr, formatIp } from '../../ipam/core/ip.ts'
import type { Route } from '../spec/result.ts'
import type { TokenBucket } from './bandwidth.ts'
import type { VlanRange } from './netlink/port.ts'
import type { Place, Step } from './step.ts'
import { forgetCommand, udpPortsOf } from './host-ports.ts'
import { elementScript } from './table.ts'

const inside = (place: Place): string => (place === 'container' ? 'ip -n CONTAINER' : 'ip')

/** The command that does what a step does, for traces; the container's namespace is called CONTAINER. */
export function commandOf(step: Step): string {
  switch (step.kind) {
    case 'bridge':
      return `ip link add ${step.name}${mtu(step.mtu)} type bridge${step.vlanFiltering ? ' vlan_filtering 1' : ''}`
    case 'sysctl':
      return `${step.place === 'container' ? 'ip netns exec CONTAINER ' : ''}sysctl -w ${sysctlName(step.key)}=${step.value}`
    case 'up':
      return `${inside(step.place)} link set ${step.name} up${step.promisc ? ' promisc on' : ''}`
    case 'veth':
      return `ip link add ${step.name} address ${step.mac}${mtu(step.mtu)} master ${step.bridge} type veth peer name ${step.peer.name} address ${step.peer.mac}${mtu(step.mtu)}${step.peer.place === 'container' ? ' netns CONTAINER' : ''}`
    case 'port':
      return `ip link set ${step.name} alias "${step.alias}"; bridge link set dev ${step.name} hairpin ${onOff(step.hairpin)} isolated ${onOff(step.isolated)}${step.locked ? ' learning off flood off locked on' : ''}`
    case 'vlan':
      return `bridge vlan ${step.action} dev ${step.name} vid ${vids(step.range)}${step.range.access ? ' pvid untagged' : ''}`
    case 'fdb':
      return `bridge fdb replace ${step.mac} dev ${step.name} master static sticky`
    case 'forward':
      return `bridge link set dev ${step.name} state 3`
    case 'address':
      return `${inside(step.place)} address add ${formatCidr(step.cidr)} dev ${step.name}${step.dad || step.cidr.ip.family.version === 4 ? '' : ' nodad'}`
    case 'route':
      return `ip -n CONTAINER route append ${routeText(step.route)} dev ${step.name}${step.onLink ? ' scope link' : ''}`
    case 'announce':
      return `ip -n CONTAINER link set ${step.name} address ${step.mac}`
    case 'neighbour':
      return `ip neighbour replace ${formatIp(step.ip)} lladdr ${step.mac} dev ${step.name} nud permanent`
    case 'settle':
      return `# wait for the end of duplicate address detection on ${step.name}`
    case 'ifb':
      return `ip link add ${step.name} address ${step.mac}${mtu(step.mtu)} type ifb; ip link set ${step.name} alias "${step.alias}"`
    case 'shape':
      return `tc qdisc add dev ${step.name} root handle 1: tbf ${bucketText(step.bucket)}`
    case 'redirect':
      return `tc qdisc add dev ${step.name} handle ffff: ingress; tc filter add dev ${step.name} parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev ${step.ifb}`
    case 'rules':
      return [
        `nft -f - <<'EOF'\n${step.script}${elementScript(step.elements)}EOF`,
        ...udpPortsOf(step.elements).map(forgetCommand),
      ].join('\n')
  }
}

const mtu = (bytes: number | undefined): string => (bytes === undefined ? '' : ` mtu ${bytes}`)
const vids = ({ min, max }: VlanRange): string => (min === max ? `${min}` : `${min}-${max}`)
/** A sysctl's name: dots for slashes, and a slash for the dot of an interface's name. */
export const sysctlName = (key: string): string => key.replaceAll(/[./]/g, sign => (sign === '/' ? '.' : '/'))
const bucketText = ({ rate, burst, limit }: TokenBucket): string =>
  `rate ${rate * 8}bit burst ${burst} limit ${limit}`
const onOff = (on: boolean): string => (on ? 'on' : 'off')

/** A route as `ip route` writes it. */
export function routeText(route: Route): string {
  const words = {
    via: route.gw && formatIp(route.gw),
    metric: route.priority,
    table: route.table,
    mtu: route.mtu,
    advmss: route.advmss,
    scope: route.scope,
  }
  const given = Object.entries(words).filter(([, value]) => value !== undefined)
  return [formatCidr(route.dst), ...given.map(([word, value]) => `${word} ${value}`)].join(' ')
}
