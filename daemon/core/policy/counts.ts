import type { Direction } from './network-policy.ts'
import type { PodKey } from './objects.ts'
import type { RuleSet } from './rule-set.ts'

/** What metrics tell of policies. */
export interface PolicyCounts {
  /** Of the whole cluster. */
  readonly policies: number
  /** Pods of this node that any policy isolates. */
  readonly isolatedPods: number
  /** Elements of all sets and maps on this node. */
  readonly elements: number
}

/** Packets that were dropped at one address of a pod, since a policy isolates it. */
export interface Dropped {
  readonly direction: Direction
  /** As text. */
  readonly address: string
  readonly packets: number
}

/** The same by pod. */
export interface DroppedPackets {
  readonly namespace: string
  readonly pod: string
  readonly direction: Direction
  readonly packets: number
}

/** How many elements all sets and maps have. */
export const countElements = ({ sets }: RuleSet): number =>
  [...sets.values()].reduce((sum, { elements }) => sum + elements.size, 0)

/** Says which pods the addresses belong to; leaves out those of pods that are gone. */
export const dropsByPod = (
  dropped: readonly Dropped[],
  podAt: (address: string) => PodKey | undefined,
): DroppedPackets[] =>
  dropped.flatMap(({ direction, address, packets }) => {
    const [namespace, pod] = podAt(address)?.split('/') ?? []
    return namespace === undefined || pod === undefined ? [] : { namespace, pod, direction, packets }
  })
