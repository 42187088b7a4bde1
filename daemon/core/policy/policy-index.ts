import type { NetworkPolicy } from './network-policy.ts'

/** What a policy is called by. */
export type PolicyName = Pick<NetworkPolicy, 'namespace' | 'name'>

/** Policies by their namespaces, in each sorted by name, so that a chain does not depend on when they were heard of. */
export class PolicyIndex {
  readonly #namespaces = new Map<string, readonly NetworkPolicy[]>()

  /** The namespaces that have any. */
  get namespaces(): ReadonlySet<string> {
    return new Set(this.#namespaces.keys())
  }

  get size(): number {
    return this.all().length
  }

  all(): NetworkPolicy[] {
    return [...this.#namespaces.values()].flat()
  }

  inNamespace(namespace: string): readonly NetworkPolicy[] {
    return this.#namespaces.get(namespace) ?? []
  }

  get({ namespace, name }: PolicyName): NetworkPolicy | undefined {
    return this.inNamespace(namespace).find(policy => policy.name === name)
  }

  set(policy: NetworkPolicy): void {
    this.delete(policy)
    const policies = [...this.inNamespace(policy.namespace), policy].sort((a, b) =>
      a.name < b.name ? -1 : 1,
    )
    this.#namespaces.set(policy.namespace, policies)
  }

  delete({ namespace, name }: PolicyName): void {
    const policies = this.inNamespace(namespace).filter(policy => policy.name !== name)
    if (policies.length === 0) this.#namespaces.delete(namespace)
    else this.#namespaces.set(namespace, policies)
  }
}
