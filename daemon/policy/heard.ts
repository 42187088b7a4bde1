import type { Log } from '../core/log.ts'
import type { Compiler } from '../core/policy/compile.ts'
import type { NetworkPolicy } from '../core/policy/network-policy.ts'
import { type Namespace, type Pod, type PodKey, podKey } from '../core/policy/objects.ts'
import type { Sink } from '../watch.ts'

/** The collections that policies need. */
const KINDS = ['Pods', 'Namespaces', 'NetworkPolicies'] as const
type Kind = (typeof KINDS)[number]

/** What a watch tells of objects. */
export type Hearing<T> = Pick<Sink<T>, 'synced' | 'changed' | 'deleted'>

/** Whom {@link Heard} tells. */
export interface HeardOptions {
  readonly compiler: Compiler
  readonly log: Log
  /** Something is other than it was. */
  readonly changed: () => void
  /** Everything has been listed. */
  readonly listed: () => void
  /** A pod is there, or has changed. */
  readonly arrived: (pod: PodKey) => void
}

/** Takes into the compiler what the API server tells. */
export class Heard {
  readonly #options: HeardOptions
  readonly #listed = new Set<Kind>()

  constructor(options: HeardOptions) {
    this.#options = options
  }

  /** What the API server has not listed yet. */
  get missing(): readonly Kind[] {
    return KINDS.filter(kind => !this.#listed.has(kind))
  }

  get pods(): Hearing<Pod> {
    const { compiler, arrived } = this.#options
    return this.#hearing('Pods', {
      replace: pods => {
        compiler.replacePods(pods)
        for (const pod of pods) arrived(podKey(pod))
      },
      set: pod => {
        const isChanged = compiler.setPod(pod)
        arrived(podKey(pod))
        return isChanged
      },
      delete: pod => compiler.deletePod(pod),
    })
  }

  get namespaces(): Hearing<Namespace> {
    const { compiler } = this.#options
    return this.#hearing('Namespaces', {
      replace: namespaces => compiler.replaceNamespaces(namespaces),
      set: namespace => compiler.setNamespace(namespace),
      delete: ({ name }) => compiler.deleteNamespace(name),
    })
  }

  get policies(): Hearing<NetworkPolicy> {
    const { compiler } = this.#options
    return this.#hearing('NetworkPolicies', {
      replace: policies => compiler.replacePolicies(policies),
      set: policy => compiler.setPolicy(policy),
      delete: policy => compiler.deletePolicy(policy),
    })
  }

  #hearing<T extends Named>(kind: Kind, into: Into<T>): Hearing<T> {
    const { changed, listed } = this.#options
    return {
      synced: items => {
        for (const item of items) this.#complain(kind, item)
        into.replace(items)
        const wasMissing = this.missing.length > 0
        this.#listed.add(kind)
        if (wasMissing && this.missing.length === 0) listed()
        changed()
      },
      changed: item => {
        if (!into.set(item)) return
        this.#complain(kind, item)
        changed()
      },
      deleted: item => {
        if (into.delete(item)) changed()
      },
    }
  }

  /** Says what of an object nobody can use. */
  #complain(kind: Kind, { namespace, name, problems = [] }: Named): void {
    for (const problem of problems)
      this.#options.log.warn({ namespace, name }, `Of ${kind}, ${namespace}/${name}: ${problem}`)
  }
}

interface Named {
  readonly namespace?: string
  readonly name: string
  readonly problems?: readonly string[]
}

/** Where objects of one kind go. */
interface Into<T> {
  readonly replace: (items: readonly T[]) => void
  /** These two answer whether anything is other than it was. */
  readonly set: (item: T) => boolean
  readonly delete: (item: T) => boolean
}
