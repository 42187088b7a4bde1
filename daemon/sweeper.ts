import type { World } from '../cni/spec/world.ts'
import { pluginConfig, type PodNetwork } from './core/conflist.ts'
import type { Log } from './core/log.ts'
import type { AddressUsage } from './core/usage.ts'
import type { Part } from './reconcile.ts'
import { Sweep, type SweepReport } from './sweep.ts'
import { addressUsage } from './usage.ts'

/** What the sweeper goes by. */
export interface SweeperOptions {
  /** The node's pod network as it is now. */
  readonly network: () => PodNetwork
  readonly world: World
  readonly log: Log
  readonly now: () => number
  /** Told of each sweep. */
  readonly swept: (report: SweepReport) => void
}

/** Sweeps with every look at everything, under the config that the node has then. */
export class Sweeper implements Part {
  readonly name = 'sweep'
  readonly needs = ['node'] as const
  readonly #options: SweeperOptions
  #sweep: { readonly config: string; readonly sweep: Sweep } | undefined
  #attachments = 0

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  async reconcile(): Promise<void> {
    const report = await this.#current().run()
    this.#attachments = report.attachments
    this.#options.swept(report)
    if (report.failures.length > 0) throw new Error(report.failures.join('; '))
  }

  /** Attachments that were alive at the last sweep. */
  get attachments(): number {
    return this.#attachments
  }

  /** How many addresses are held and free now. */
  usage(): AddressUsage[] {
    return addressUsage(pluginConfig(this.#options.network()), this.#options.world)
  }

  /** A sweep remembers what it has seen; under another config it has seen nothing yet. */
  #current(): Sweep {
    const { network, world, log, now } = this.#options
    const config = pluginConfig(network())
    const text = JSON.stringify(config)
    if (this.#sweep?.config !== text)
      this.#sweep = { config: text, sweep: new Sweep({ config, world, log, now }) }
    return this.#sweep.sweep
  }
}
