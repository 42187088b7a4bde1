import type { Ip } from '../../../ipam/core/ip.ts'
import { type Attached, isAttachedTo, type Pod, type PodKey, podKey } from './objects.ts'
import { type Address, addressOf } from './rule-set.ts'

/** What gives a pod an address: an attachment, or what the API server says. */
interface Claim {
  readonly by: PodKey
  readonly address: Address
  /** Whether the pod's object is known, or an attachment is all there is. */
  readonly isKnown: boolean
  /** Of several claims the greatest has the address: attachments, by age, over pods, by age. */
  readonly rank: string
}

/** The addresses that a pod has. */
export interface Held {
  readonly known: readonly Address[]
  /** Those attached to a pod that the API server has not told about. */
  readonly unknown: readonly Address[]
}

/** Pods by name, by namespace and by address, and which of them have changed. */
export class PodIndex {
  readonly #pods = new Map<PodKey, Pod>()
  readonly #namespaces = new Map<string, Set<PodKey>>()
  readonly #attached = new Map<PodKey, Map<string, { readonly attached: Attached; readonly rank: string }>>()
  readonly #attachments = new Map<string, PodKey>()
  readonly #claims = new Map<PodKey, readonly Claim[]>()
  readonly #claimants = new Map<string, Set<Claim>>()
  #changed = new Set<PodKey>()
  #count = 0

  pod(key: PodKey): Pod | undefined {
    return this.#pods.get(key)
  }

  /** All pods that are known. */
  all(): Pod[] {
    return [...this.#pods.values()]
  }

  /** All pods, also those that only attachments tell of. */
  keys(): Iterable<PodKey> {
    return this.#claims.keys()
  }

  inNamespace(namespace: string): Iterable<PodKey> {
    return this.#namespaces.get(namespace) ?? []
  }

  set(pod: Pod): void {
    this.#pods.set(podKey(pod), pod)
    this.#claim(podKey(pod))
  }

  delete(key: PodKey): void {
    this.#pods.delete(key)
    this.#claim(key)
  }

  attach(attached: Attached): void {
    this.detach(attached.id)
    const key = podKey(attached)
    const entries = this.#attached.get(key) ?? []
    this.#count += 1
    const rank = `1 ${String(this.#count).padStart(12, '0')}`
    this.#attached.set(key, new Map([...entries, [attached.id, { attached, rank }]]))
    this.#attachments.set(attached.id, key)
    this.#claim(key)
  }

  detach(id: string): void {
    const key = this.#attachments.get(id)
    if (key === undefined) return
    this.#attachments.delete(id)
    const entries = this.#attached.get(key)!
    entries.delete(id)
    if (entries.size === 0) this.#attached.delete(key)
    this.#claim(key)
  }

  /** Whether a known pod is attached to this node. */
  isAttached(key: PodKey): boolean {
    return this.#own(key).length > 0
  }

  /** Whether the pod of an attachment is known. */
  isKnown(id: string): boolean {
    const key = this.#attachments.get(id)
    return key !== undefined && this.#own(key).some(({ attached }) => attached.id === id)
  }

  held(key: PodKey): Held {
    const claims = (this.#claims.get(key) ?? []).filter(claim => this.#holder(claim.address) === claim)
    const addresses = (isKnown: boolean): Address[] =>
      claims.filter(claim => claim.isKnown === isKnown).map(({ address }) => address)
    return { known: addresses(true), unknown: addresses(false) }
  }

  /** Whose an address is, by its text. */
  podAt(text: string): PodKey | undefined {
    return this.#claimants.has(text) ? this.#holder({ text }).by : undefined
  }

  /** The pods whose objects or addresses have changed since the last time somebody asked. */
  takeChanged(): ReadonlySet<PodKey> {
    const changed = this.#changed
    this.#changed = new Set()
    return changed
  }

  #own(key: PodKey): { readonly attached: Attached; readonly rank: string }[] {
    const pod = this.#pods.get(key)
    const all = [...(this.#attached.get(key)?.values() ?? [])]
    return pod === undefined ? [] : all.filter(({ attached }) => isAttachedTo(attached, pod))
  }

  /** Makes a pod's claims anew. Whoever else claims one of the addresses may win or lose it by that. */
  #claim(key: PodKey): void {
    const before = this.#claims.get(key) ?? []
    const after = this.#claimsOf(key)
    for (const claim of before) this.#claimants.get(claim.address.text)!.delete(claim)
    for (const claim of after) {
      const claimants = this.#claimants.get(claim.address.text) ?? new Set()
      this.#claimants.set(claim.address.text, claimants.add(claim))
    }
    this.#changed.add(key)
    for (const text of new Set([...before, ...after].map(({ address }) => address.text))) {
      const claimants = this.#claimants.get(text)!
      for (const { by } of claimants) this.#changed.add(by)
      if (claimants.size === 0) this.#claimants.delete(text)
    }
    this.#keep(key, after)
  }

  #keep(key: PodKey, claims: readonly Claim[]): void {
    const namespace = key.slice(0, key.indexOf('/'))
    const keys = this.#namespaces.get(namespace) ?? new Set()
    if (this.#pods.has(key) || this.#attached.has(key)) {
      this.#claims.set(key, claims)
      this.#namespaces.set(namespace, keys.add(key))
    } else {
      this.#claims.delete(key)
      keys.delete(key)
      if (keys.size === 0) this.#namespaces.delete(namespace)
    }
  }

  #claimsOf(key: PodKey): Claim[] {
    const pod = this.#pods.get(key)
    const own = this.#own(key)
    const claim = (ip: Ip, isKnown: boolean, rank: string): Claim => ({
      by: key,
      address: addressOf(ip),
      isKnown,
      rank,
    })
    return [
      ...[...(this.#attached.get(key)?.values() ?? [])].flatMap(entry =>
        entry.attached.addresses.map(ip => claim(ip, own.includes(entry), entry.rank)),
      ),
      ...(pod === undefined || own.length > 0
        ? []
        : pod.addresses.map(ip => claim(ip, true, `0 ${pod.createdAt} ${key}`))),
    ]
  }

  #holder({ text }: Pick<Address, 'text'>): Claim {
    return [...this.#claimants.get(text)!].reduce((best, claim) => (claim.rank > best.rank ? claim : best))
  }
}
