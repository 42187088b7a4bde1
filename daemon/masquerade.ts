import { type Cidr, type Ip, parseCidr, parseIp } from '../ipam/core/ip.ts'
import type { World } from '../cni/spec/world.ts'
import type { Cluster, Touched } from './core/cluster.ts'
import type { Log } from './core/log.ts'
import {
  elementsScript,
  masqueradeScript,
  type MasqueradeWish,
  type Sets,
  setsOf,
} from './core/masquerade.ts'
import { differences } from './core/masquerade-present.ts'
import { applyMasquerade, observeMasquerade } from './edge/masquerade.ts'
import type { OwnNode } from './own-node.ts'
import type { Part } from './reconcile.ts'
import type { Routes } from './routes.ts'

/** What the masquerade goes by. */
export interface MasqueradeOptions {
  readonly world: World
  readonly cluster: Cluster
  readonly own: OwnNode
  readonly routes: Routes
  /** Networks that the user excepts. */
  readonly given: readonly Cidr[]
  readonly log: Log
}

/** The masquerade of what pods send out of the cluster. */
export class Masquerade implements Part {
  readonly name = 'masquerade'
  readonly needs = ['node'] as const
  readonly #options: MasqueradeOptions
  readonly #pods = new Map<string, Cidr>()
  readonly #nodes = new Map<string, Ip>()
  /** What the sets hold, once they have been seen to. */
  #sets: Sets | undefined

  constructor(options: MasqueradeOptions) {
    this.#options = options
  }

  async reconcile(): Promise<void> {
    const { world, cluster, log } = this.#options
    this.#note({
      podCidrs: new Set([...cluster.podCidrs(), ...this.#pods.keys()]),
      addresses: new Set([...cluster.addresses(), ...this.#nodes.keys()]),
    })
    const wish = this.#wish()
    const present = await observeMasquerade(world)
    const wrong = differences(wish, present)
    this.#sets = undefined
    if (wrong.length > 0) {
      await applyMasquerade(world, masqueradeScript(wish, present))
      log.info({ differences: wrong }, `Loaded the masquerade into table "inet podwire": ${wrong.join('; ')}`)
    }
    this.#sets = setsOf(wish)
  }

  async update(touched: Touched): Promise<void> {
    if (this.#sets === undefined) return this.reconcile()
    this.#note(touched)
    const [before, after] = [this.#sets, setsOf(this.#wish())]
    // A failure may leave either: then the next change is to look anew.
    this.#sets = undefined
    await applyMasquerade(this.#options.world, elementsScript(before, after))
    this.#sets = after
  }

  /** Takes over what the cluster says of some networks and addresses. */
  #note({ podCidrs, addresses }: Touched): void {
    const { cluster, routes } = this.#options
    for (const text of podCidrs) put(this.#pods, text, cluster.ownerOf(text) && parseCidr(text))
    for (const text of addresses) {
      const isNear = cluster.holderOf(text) !== undefined && routes.reaches(text)
      put(this.#nodes, text, isNear ? parseIp(text) : undefined)
    }
  }

  #wish(): MasqueradeWish {
    const { own, given } = this.#options
    return { own: own.node.podCidrs, pods: this.#pods, nodes: this.#nodes, given }
  }
}

function put<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}
