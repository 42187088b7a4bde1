import {
  type Cidr,
  FAMILIES,
  type Family,
  formatCidr,
  formatIp,
  type Ip,
  networkOf,
} from '../../ipam/core/ip.ts'
import { addressField, type Field, portField, PROTOCOLS, protocolField } from './netlink/field.ts'
import type { PortMapping } from './port-mapping.ts'
import {
  declareMap,
  type FilledChain,
  fill,
  type MapName,
  type Owned,
  type OwnedElement,
  type Owner,
  script,
  TABLE,
} from './table.ts'

/*
 * Capability `portMappings`, in the node's table. However many ports are mapped, the first packet of a connection costs
 * two lookups, and the others none:
 *
 *   prerouting, output: to an address of the node -> hostports: [address,] protocol, port in a map -> dnat to the pod
 *   hairpin: what would come back past the node, or as nobody's -> masquerade:
 *     from 127.0.0.0/8; from the pod itself; in mode `l2` from its subnet, whose replies the bridge would switch
 *   no-loopback: to 127.0.0.0/8 from outside -> drop, as the kernel itself does without route_localnet
 *
 * Whoever calls from elsewhere is seen by the pod with his own address. A port at ::1 cannot be mapped, as with the
 * reference plugin: the kernel takes no packet from or to ::1 on a real interface, and there is no setting for it. It is
 * left alone, so that it answers at once that nobody listens, and programs go on to 127.0.0.1.
 */

type Version = Family['version']
type Names = Readonly<Record<Version, MapName>>

/** protocol . port -> pod . port */
const ANY: Names = { 4: 'hostports4', 6: 'hostports6' }
/** address . protocol . port -> pod . port */
const ONE: Names = { 4: 'hostip-hostports4', 6: 'hostip-hostports6' }
/** pod . pod */
const HAIRPIN: Names = { 4: 'hairpin4', 6: 'hairpin6' }
/** pod -> the chain of its subnet */
const NEIGHBOURS: Names = { 4: 'neighbours4', 6: 'neighbours6' }
const ALL = [ANY, ONE, HAIRPIN, NEIGHBOURS]

const perFamily = (rule: (family: Family) => string): string[] => FAMILIES.map(rule)
const GUARD = { 4: 'meta nfproto ipv4', 6: 'ip6 daddr != ::1' } as const

const HOOKED: Readonly<Record<string, { readonly hook: string; readonly rules: readonly string[] }>> = {
  'no-loopback': {
    hook: 'type filter hook prerouting priority raw',
    rules: ['iifname != "lo" ip daddr 127.0.0.0/8 drop'],
  },
  prerouting: {
    hook: 'type nat hook prerouting priority dstnat',
    rules: ['fib daddr type local jump hostports'],
  },
  output: { hook: 'type nat hook output priority -100', rules: ['fib daddr type local jump hostports'] },
  hairpin: {
    hook: 'type nat hook postrouting priority srcnat',
    rules: [
      'ip saddr 127.0.0.0/8 oifname != "lo" ct status dnat masquerade',
      ...perFamily(({ word, version }) => `${word} saddr . ${word} daddr @${HAIRPIN[version]} masquerade`),
      ...perFamily(({ word, version }) => `${word} daddr vmap @${NEIGHBOURS[version]}`),
    ],
  },
}

const HOSTPORTS_RULES = [
  ...perFamily(
    ({ word, version }) =>
      `${GUARD[version]} dnat ${word} to ${word} daddr . meta l4proto . th dport map @${ONE[version]}`,
  ),
  ...perFamily(
    ({ word, version }) => `${GUARD[version]} dnat ${word} to meta l4proto . th dport map @${ANY[version]}`,
  ),
]

/** The chain for what comes to mapped pods of a subnet. */
const withinChain = (subnet: Cidr): string => `within-${formatCidr(subnet).replaceAll(':', '_')}`
const withinRules = (subnet: Cidr): string[] => [
  `ct status dnat ${subnet.ip.family.word} saddr ${formatCidr(subnet)} masquerade`,
]

/** The addresses of a pod that its ports are mapped to, one a family, and how its subnet is wired. */
export interface Publication {
  readonly addresses: readonly Cidr[]
  readonly mode: 'l2' | 'l3'
  readonly mappings: readonly PortMapping[]
}

/** Who a mapping is for in a family: the pod's first address; nobody when it is for an address of the other. */
const mapped = ({ addresses, mappings }: Publication): { address: Cidr; mapping: PortMapping }[] =>
  FAMILIES.flatMap(family => {
    const address = addresses.find(({ ip }) => ip.family === family)
    if (address === undefined) return []
    return mappings
      .filter(({ hostIp }) => hostIp === undefined || hostIp.family === family)
      .map(mapping => ({ address, mapping }))
  })

/** The addresses that ports of the node lead to. */
export const publishedAddresses = (publication: Publication): Cidr[] => [
  ...new Set(mapped(publication).map(({ address }) => address)),
]

const subnetsOf = (publication: Publication): Cidr[] =>
  publication.mode === 'l2' ? publishedAddresses(publication).map(networkOf) : []

/** The chains that mapped ports need. */
export const hostPortChains = (publication: Publication): FilledChain[] => [
  ...Object.entries(HOOKED).map(([chain, { rules }]) => ({ chain, rules: rules.length })),
  { chain: 'hostports', rules: HOSTPORTS_RULES.length },
  ...subnetsOf(publication).map(subnet => ({
    chain: withinChain(subnet),
    rules: withinRules(subnet).length,
  })),
]

/** Table, maps, hooks and chains, whatever there is of them: every line can be said twice. */
export function hostPortScript(publication: Publication): string {
  const hooked = Object.entries(HOOKED)
  const subnets = subnetsOf(publication)
  return script([
    `add table ${TABLE}`,
    ...ALL.flatMap(names => FAMILIES.map(({ version }) => declareMap(names[version]))),
    ...['hostports', ...subnets.map(withinChain)].map(chain => `add chain ${TABLE} ${chain}`),
    ...hooked.map(([chain, { hook }]) => `add chain ${TABLE} ${chain} { ${hook}; policy accept; }`),
    ...fill('hostports', HOSTPORTS_RULES),
    ...hooked.flatMap(([chain, { rules }]) => fill(chain, rules)),
    ...subnets.flatMap(subnet => fill(withinChain(subnet), withinRules(subnet))),
  ])
}

/** The elements that lead ports of the node to a pod, and what comes back through the node. */
export const hostPortElements = (owner: Owner, publication: Publication): OwnedElement[] => [
  ...mapped(publication).map(({ address, mapping }) => portElement(owner, address.ip, mapping)),
  ...publishedAddresses(publication).map(address => returnElement(owner, address, publication.mode)),
]

function portElement(owner: Owner, pod: Ip, mapping: PortMapping): OwnedElement {
  const { protocol, hostPort, containerPort, hostIp } = mapping
  const port: Field[] = [protocolField(protocol), portField(hostPort)]
  return {
    kind: 'element',
    map: (hostIp === undefined ? ANY : ONE)[pod.family.version],
    key: hostIp === undefined ? port : [addressField(hostIp), ...port],
    target: { kind: 'value', fields: [addressField(pod), portField(containerPort)] },
    owner,
  }
}

function returnElement(owner: Owner, pod: Cidr, mode: Publication['mode']): OwnedElement {
  const address = addressField(pod.ip)
  const { version } = pod.ip.family
  return mode === 'l2'
    ? {
        kind: 'element',
        map: NEIGHBOURS[version],
        key: [address],
        target: { kind: 'goto', chain: withinChain(networkOf(pod)) },
        owner,
      }
    : { kind: 'element', map: HAIRPIN[version], key: [address, address], target: undefined, owner }
}

/** Whether an element is a port of the node's, which only one attachment can have. */
export const isHostPort = ({ map }: OwnedElement): boolean =>
  [ANY, ONE].some(names => Object.values(names).includes(map))

/** A UDP port of the node. */
export interface UdpPort {
  readonly family: Family
  readonly port: number
  /** Undefined for all of the node's addresses. */
  readonly hostIp: Ip | undefined
}

/** The UDP ports of the node among these things. */
export const udpPortsOf = (owned: readonly Owned[]): UdpPort[] =>
  owned.flatMap(thing => {
    if (thing.kind !== 'element' || !isHostPort(thing)) return []
    const [port, protocol, address] = thing.key.toReversed()
    if (port === undefined || protocol?.value !== BigInt(PROTOCOLS.udp)) return []
    const family = thing.map.endsWith('4') ? FAMILIES[0]! : FAMILIES[1]!
    const hostIp = address && { family, value: address.value }
    return [{ family, port: Number(port.value), hostIp }]
  })

/** The command that makes the kernel forget the flows to a UDP port of the node. */
export const forgetCommand = ({ family, port, hostIp }: UdpPort): string =>
  `conntrack -D -f ipv${family.version} -p udp${hostIp === undefined ? '' : ` -d ${formatIp(hostIp)}`} --dport ${port}`
