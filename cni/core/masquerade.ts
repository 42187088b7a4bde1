import { type Cidr, FAMILIES, formatCidr, networkOf } from '../../ipam/core/ip.ts'
import { addressField } from './netlink/field.ts'
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
  targetsOf,
} from './table.ts'

/*
 * `ipMasq`, in the node's table:
 *
 *   postrouting: saddr in masquerade4 -> goto leaving-SUBNET: to the subnet or multicast return, else masquerade
 */

const MAPS: Readonly<Record<4 | 6, MapName>> = { 4: 'masquerade4', 6: 'masquerade6' }
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const

/** A subnet's chain; an nft name takes letters, digits, `_`, `/`, `.`, `-`, so `:` becomes `_`. */
const leavingChain = (subnet: Cidr): string => `leaving-${formatCidr(subnet).replaceAll(':', '_')}`

const POSTROUTING_RULES = FAMILIES.map(({ word, version }) => `${word} saddr vmap @${MAPS[version]}`)

/** How many rules leavingRules() makes. */
const LEAVING_RULES = 2
const leavingRules = (subnet: Cidr): string[] => {
  const { version, word } = subnet.ip.family
  return [`${word} daddr { ${formatCidr(subnet)}, ${MULTICAST[version]} } return`, 'masquerade fully-random']
}

/** The chains that every packet from these addresses passes. */
export const masqueradeChains = (addresses: readonly Cidr[]): FilledChain[] =>
  filled([...new Set(addresses.map(address => leavingChain(networkOf(address))))])

/**
 * The same of elements in the table. CHECK cannot ask by address: in a result of mode `l3` none tells its subnet.
 */
export const chainsBehind = (owned: readonly Owned[]): FilledChain[] =>
  filled(
    targetsOf(owned.filter(thing => thing.kind === 'element' && Object.values(MAPS).includes(thing.map))),
  )

const filled = (leaving: readonly string[]): FilledChain[] => [
  { chain: 'postrouting', rules: POSTROUTING_RULES.length },
  ...leaving.map(chain => ({ chain, rules: LEAVING_RULES })),
]

/** Table, maps, hook and chains for these addresses, whatever there is of them: every line can be said twice. */
export const masqueradeScript = (addresses: readonly Cidr[]): string =>
  script([
    `add table ${TABLE}`,
    ...FAMILIES.map(({ version }) => declareMap(MAPS[version])),
    `add chain ${TABLE} postrouting { type nat hook postrouting priority srcnat; policy accept; }`,
    ...fill('postrouting', POSTROUTING_RULES),
    ...addresses.map(networkOf).flatMap(subnet => {
      const chain = leavingChain(subnet)
      return [`add chain ${TABLE} ${chain}`, ...fill(chain, leavingRules(subnet))]
    }),
  ])

/** The elements that masquerade what leaves the subnets of these addresses. */
export const masqueradeElements = (owner: Owner, addresses: readonly Cidr[]): OwnedElement[] =>
  addresses.map(address => ({
    kind: 'element',
    map: MAPS[address.ip.family.version],
    key: [addressField(address.ip)],
    target: { kind: 'goto', chain: leavingChain(networkOf(address)) },
    owner,
  }))
