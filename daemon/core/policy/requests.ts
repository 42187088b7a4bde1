import { createElements, deleteElements } from '../../../cni/core/netlink/element.ts'
import { encodeFields } from '../../../cni/core/netlink/field.ts'
import type { Request } from '../../../cni/core/netlink/message.ts'
import type { Difference } from './difference.ts'
import type { Element, RuleSet } from './rule-set.ts'

/**
 * A difference as changes for the kernel, to be made in one transaction; undefined when it is more than elements of hash
 * tables: how chains, sets and ranges are said, nft knows. The transaction fails, and changes nothing, where the table
 * is not as thought: with EEXIST for an element that is there already, with ENOENT for one that is not.
 */
export function changeRequests({ sets }: RuleSet, change: Difference): Request[] | undefined {
  const { newSets, newChains, oldSets, oldChains, changes } = change
  if (newSets.size + newChains.size + oldSets.length + oldChains.length > 0) return undefined
  if ([...changes.keys()].some(name => sets.get(name)!.kind === 'ranges')) return undefined
  return [...changes].flatMap(([name, { removed, added }]) => [
    ...deleteElements(name, [...removed.values()].map(keyOf)),
    ...createElements(name, [...added.values()].map(toElement)),
  ])
}

const keyOf = ({ key }: Element): Uint8Array => encodeFields(key)

function toElement(element: Element) {
  const { target, comment } = element
  const data = target === undefined ? undefined : ({ kind: 'goto', chain: target } as const)
  return { key: keyOf(element), data, comment }
}
