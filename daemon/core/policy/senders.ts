import { MACS_SET } from '../../../cni/core/closing.ts'
import { asComment } from '../../../cni/core/netlink/element.ts'
import { addressField, macField } from '../../../cni/core/netlink/field.ts'
import { SENDER_SETS, sendersSet } from './base.ts'
import { Contents, type Entries } from './contents.ts'
import { type Attached, type PodKey, podKey } from './objects.ts'
import { type Element, entryOf, type NftSet, withElements } from './rule-set.ts'

type Sets = ReadonlyMap<string, NftSet>

/**
 * By which addresses the pods of this node may send: those of a pod that can send by certain MACs alone, by these. A pod
 * that is attached several times answers by whichever of its interfaces its routes say.
 */
export class Senders {
  readonly #contents = new Map([...SENDER_SETS.keys()].map(name => [name, new Contents()]))
  #sets = filled(SENDER_SETS, this.#contents)
  readonly #attached = new Map<string, Attached>()
  /** Pods of which something has come or gone since the sets were made: each change makes a set anew. */
  readonly #changed = new Set<PodKey>()

  attach(attached: Attached): void {
    this.detach(attached.id)
    this.#attached.set(attached.id, attached)
    this.#changed.add(podKey(attached))
  }

  detach(id: string): void {
    const former = this.#attached.get(id)
    if (former === undefined) return
    this.#attached.delete(id)
    this.#changed.add(podKey(former))
  }

  /** The sets by now. */
  compile(): Sets {
    if (this.#changed.size === 0) return this.#sets
    const byPod = Map.groupBy(this.#attached.values(), podKey)
    const elements = new Map([...this.#changed].map(key => [key, elementsOf(key, byPod.get(key) ?? [])]))
    for (const [name, contents] of this.#contents) {
      const entriesOf = (key: PodKey): Entries =>
        elements.get(key)!.flatMap(({ set, element }) => (set === name ? [entryOf(element)] : []))
      contents.update(this.#changed, entriesOf)
    }
    this.#changed.clear()
    this.#sets = filled(this.#sets, this.#contents)
    return this.#sets
  }
}

const filled = (sets: Sets, contents: ReadonlyMap<string, Contents>): Sets =>
  new Map([...sets].map(([name, set]) => [name, withElements(set, contents.get(name)!.elements)]))

interface SetElement {
  readonly set: string
  readonly element: Element
}

/** What a pod has in the sets, by all its attachments. */
function elementsOf(key: PodKey, attachments: readonly Attached[]): SetElement[] {
  const comment = asComment(key)
  const ips = attachments.flatMap(({ addresses }) => addresses)
  const macs = new Set(attachments.flatMap(({ mac }) => mac ?? []))
  return [...macs].map(macField).flatMap(field => [
    { set: MACS_SET, element: { key: [field], comment } },
    ...ips.map(ip => ({
      set: sendersSet(ip.family),
      element: { key: [addressField(ip), field], comment },
    })),
  ])
}
