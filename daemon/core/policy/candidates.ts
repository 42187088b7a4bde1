import type { Pod, PodKey } from './objects.ts'
import type { PodDefinition, PodPeer } from './peers.ts'

/** Where pods are looked for. */
interface Pods {
  pod(key: PodKey): Pod | undefined
  keys(): Iterable<PodKey>
  inNamespace(namespace: string): Iterable<PodKey>
}

/**
 * Finds the pods that may be in a new set, for one compilation. A policy may ask for thousands of sets, and most mean
 * pods of its own namespace that have a certain label: then nobody else is looked at.
 */
export class Candidates {
  readonly #pods: Pods
  readonly #labelled = new Map<string, ReadonlyMap<string, readonly PodKey[]>>()

  constructor(pods: Pods) {
    this.#pods = pods
  }

  of(definition: PodDefinition): Iterable<PodKey> {
    const peers = selectedBy(definition)
    const namespace = peers?.[0]?.namespaces
    if (typeof namespace !== 'string' || !peers!.every(peer => peer.namespaces === namespace))
      return this.#pods.keys()
    const labels = labelsOf(peers!)
    if (labels === undefined) return this.#pods.inNamespace(namespace)
    const labelled = this.#labelledIn(namespace)
    return new Set(labels.values().flatMap(label => labelled.get(label) ?? []))
  }

  #labelledIn(namespace: string): ReadonlyMap<string, readonly PodKey[]> {
    const found = this.#labelled.get(namespace) ?? labelledAmong(this.#pods, namespace)
    this.#labelled.set(namespace, found)
    return found
  }
}

/** Undefined where also pods are meant that nothing selects. */
function selectedBy(definition: PodDefinition): readonly PodPeer[] | undefined {
  if (definition.kind === 'pods') return definition.peers
  return definition.peers?.blocks.length === 0 ? definition.peers.pods : undefined
}

/** The labels of which a pod must have one; undefined where a peer asks for none. */
function labelsOf(peers: readonly PodPeer[]): ReadonlySet<string> | undefined {
  const labels = new Set<string>()
  for (const { pods } of peers) {
    const requirement = pods.find(({ operator }) => operator === 'In')
    if (requirement === undefined) return undefined
    for (const value of requirement.values) labels.add(labelText(requirement.key, value))
  }
  return labels
}

function labelledAmong(pods: Pods, namespace: string): Map<string, PodKey[]> {
  const labelled = new Map<string, PodKey[]>()
  for (const key of pods.inNamespace(namespace)) {
    for (const label of pods.pod(key)?.labels ?? []) {
      const text = labelText(...label)
      const keys = labelled.get(text) ?? []
      keys.push(key)
      labelled.set(text, keys)
    }
  }
  return labelled
}

const labelText = (key: string, value: string): string => `${key}=${value}`
