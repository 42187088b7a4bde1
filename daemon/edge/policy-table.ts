import { dumpElements, parseCountedElement, splitElements } from '../../cni/core/netlink/element.ts'
import { dumpChains, dumpRules, parseChain, parseRule } from '../../cni/core/netlink/rule.ts'
import { dumpSets, parseSet } from '../../cni/core/netlink/set.ts'
import { dump, dumpAside } from '../../cni/edge/netfilter.ts'
import { listTable, loadRules } from '../../cni/edge/nft.ts'
import { changeTable } from '../../cni/edge/table.ts'
import type { World } from '../../cni/spec/world.ts'
import { FAMILIES, formatIp, fromBytes } from '../../ipam/core/ip.ts'
import { countersSet } from '../core/policy/base.ts'
import { chainDifferences, elementDifferences, readElement, setDifferences } from '../core/policy/compare.ts'
import type { Dropped } from '../core/policy/counts.ts'
import type { Difference } from '../core/policy/difference.ts'
import { DIRECTIONS } from '../core/policy/network-policy.ts'
import { parsePresent } from '../core/policy/present.ts'
import { changeRequests } from '../core/policy/requests.ts'
import type { Element, NftSet, RuleSet } from '../core/policy/rule-set.ts'
import { loadScript, updateScript } from '../core/policy/script.ts'

/** What of the world it takes to run nft. */
type Executing = Pick<World, 'env'>

/** Loads all of a rule set in one transaction, whatever the table has of ours: `nft -f`. */
export async function loadPolicy(world: Executing, wanted: RuleSet): Promise<void> {
  const present = parsePresent(await listTable(world, '-t'))
  await loadRules(world, loadScript(wanted, present))
}

/**
 * Makes in one transaction the difference that leads to a rule set: elements over netlink, in less than a millisecond,
 * all else by `nft -f`. Fails, and changes nothing, where the table is not as thought: then {@link loadPolicy} puts it right.
 */
export async function changePolicy(world: Executing, wanted: RuleSet, change: Difference): Promise<void> {
  const requests = changeRequests(wanted, change)
  if (requests === undefined) await loadRules(world, updateScript(wanted, change))
  else changeTable(requests)
}

/**
 * What the kernel has otherwise than wanted, in words; empty when it has all of it and no more. Nobody may change the
 * policies' part of the table meanwhile.
 */
export async function policyDifferences(wanted: RuleSet): Promise<string[]> {
  const chains = await dumpAside(dumpChains(), ({ body }) => parseChain(body))
  const rules = await dumpAside(dumpRules(), ({ body }) => parseRule(body))
  const names = await dumpAside(dumpSets(), ({ body }) => parseSet(body).name)
  const differences = [...chainDifferences(wanted, chains, rules), ...setDifferences(wanted, names)]
  const present = new Set(names)
  for (const [name, set] of wanted.sets) {
    if (present.has(name) && set.kind !== 'expiring')
      differences.push(...elementDifferences(name, set, await elementsOf(name, set)))
  }
  return differences
}

async function elementsOf(name: string, set: NftSet): Promise<ReadonlyMap<string, Element>> {
  const elements = new Map<string, Element>()
  await dumpAside(dumpElements(name), ({ body }) => {
    for (const bytes of splitElements(body)) {
      const listed = readElement(set, bytes)
      if (listed !== undefined) elements.set(...listed)
    }
    return undefined
  })
  return elements
}

/** How many packets were dropped at each address that a policy isolates, since it does. */
export const droppedPackets = (): Dropped[] =>
  FAMILIES.flatMap(family =>
    DIRECTIONS.flatMap(direction =>
      dump(dumpElements(countersSet(direction, family)))
        .flatMap(({ body }) => splitElements(body))
        .flatMap(bytes => parseCountedElement(bytes) ?? [])
        .map(({ key, packets }) => ({ direction, address: formatIp(fromBytes(family, key)), packets })),
    ),
  )
