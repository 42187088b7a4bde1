import { asComment } from '../../../cni/core/netlink/element.ts'
import { addressField, macField } from '../../../cni/core/netlink/field.ts'
import { MACS_SET, SENDER_SETS, sendersSet } from './base.ts'
import { Contents, type Entries } from './contents.ts'
import { type Attached, podKey } from './objects.ts'
import { type Element, entryOf, type NftSet, withElements } from './rule-set.ts'

type Sets = ReadonlyMap<string, NftSet>

/** By which addresses the pods of this node may send: those of an attachment whose port takes one MAC, by that MAC. */
export class Senders {
  readonly #contents = new Map([...SENDER_SETS.keys()].map(name => [name, new Contents<string>()]))
  #sets = filled(SENDER_SETS, this.#contents)
  /** What has come or gone since the sets were made: each change makes a set anew. */
  readonly #changed = new Map<string, readonly SetElement[]>()

  attach(attached: Attached): void {
    this.#changed.set(attached.id, elementsOf(attached))
  }

  detach(id: string): void {
    this.#changed.set(id, [])
  }

  /** The sets by now. */
  compile(): Sets {
    for (const [name, contents] of this.#contents) {
      const entriesOf = (id: string): Entries =>
        this.#changed.get(id)!.flatMap(({ set, element }) => (set === name ? [entryOf(element)] : []))
      contents.update(this.#changed.keys(), entriesOf)
    }
    this.#changed.clear()
    this.#sets = filled(this.#sets, this.#contents)
    return this.#sets
  }
}

const filled = (sets: Sets, contents: ReadonlyMap<string, Contents<string>>): Sets =>
  new Map([...sets].map(([name, set]) => [name, withElements(set, contents.get(name)!.elements)]))

interface SetElement {
  readonly set: string
  readonly element: Element
}

/** What an attachment has in the sets. */
function elementsOf(attached: Attached): SetElement[] {
  const { mac, addresses } = attached
  if (mac === undefined) return []
  const [field, comment] = [macField(mac), asComment(podKey(attached))]
  return [
    { set: MACS_SET, element: { key: [field], comment } },
    ...addresses.map(ip => ({
      set: sendersSet(ip.family),
      element: { key: [addressField(ip), field], comment },
    })),
  ]
}
