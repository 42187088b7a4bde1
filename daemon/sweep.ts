import { setImmediate as yieldToOthers } from 'node:timers/promises'
import { removeRulesOf } from '../cni/edge/table.ts'
import { podwire } from '../cni/plugin.ts'
import { parseNetworkConfig, type NetworkConfig } from '../cni/spec/config.ts'
import type { Attachment } from '../cni/spec/environment.ts'
import { messageOf } from '../cni/spec/error.ts'
import type { DelCall } from '../cni/spec/plugin.ts'
import type { JsonObject } from '../cni/spec/read.ts'
import { SILENT } from '../cni/spec/trace.ts'
import type { World } from '../cni/spec/world.ts'
import { completeIndex } from '../ipam/add.ts'
import { isUnderWay } from '../ipam/edge/index.ts'
import { makeFolders, type Store } from '../ipam/edge/store.ts'
import { storeOf } from '../ipam/open.ts'
import type { Log } from './core/log.ts'
import { examine, markOf, note, type Sight, type Sightings, staleAmong, type Suspect } from './core/sweep.ts'
import {
  hasLink,
  linkIndex,
  observeAddresses,
  observeLinks,
  observeRuleOwners,
  readAddresses,
} from './edge/sweep.ts'

/** What a sweep goes by. */
export interface SweepOptions {
  /** The plugin's config as it stands in the conflist, with `cniVersion` and `name`. */
  readonly config: JsonObject
  readonly world: World
  readonly log: Log
  /** A clock that only goes forward, in milliseconds. */
  readonly now: () => number
  /** So many milliseconds without a veth make an attachment stale; no ADD takes so long. */
  readonly grace?: number
}

/** How a sweep ended. */
export interface SweepReport {
  /** Attachments that hold addresses and are alive. */
  readonly attachments: number
  /** Attachments that this sweep freed. */
  readonly freed: number
  /** Attachments of which it removed nothing but rules. */
  readonly rules: number
  /** Ifb devices of attachments of which nothing else was left. */
  readonly ifbs: number
  /** Attachments, rules and ifb devices of which it does not know yet. */
  readonly waiting: number
  /** What it could not remove, a sentence for each; the next sweep tries again. */
  readonly failures: readonly string[]
}

const GRACE_MS = 60_000

type Stale<K extends Suspect['kind']> = Extract<Suspect, { kind: K }>
type Removable = Stale<'attachment' | 'rules' | 'ifb'>

/** Frees what attachments hold that nobody will ever DEL: containerd calls no GC. */
export class Sweep {
  readonly #options: SweepOptions
  readonly #config: NetworkConfig
  readonly #store: Store
  #sightings: Sightings = new Map()
  /** Files that people were told of. */
  #told: ReadonlySet<string> = new Set()

  constructor(options: SweepOptions) {
    this.#options = options
    this.#config = parseNetworkConfig(options.config)
    this.#store = storeOf({ config: this.#config, world: options.world })
  }

  /** Sweeps once. Throws when it could not look at the store or the links; then it removed nothing. */
  async run(): Promise<SweepReport> {
    const { now, grace = GRACE_MS } = this.#options
    const failures: string[] = []
    const { alive, suspects } = examine(await this.#observe(failures))
    const time = now()
    const stale = staleAmong(this.#sightings, suspects, time, grace)
    this.#sightings = note(this.#sightings, suspects, time)
    this.#tell(stale.filter(suspect => suspect.kind === 'file'))
    const counts = { freed: 0, rules: 0, ifbs: 0 }
    const chosen = stale.filter(suspect => suspect.kind !== 'file')
    if (chosen.some(({ kind }) => kind === 'attachment')) this.#prepare()
    for (const suspect of chosen) {
      const removed = await this.#attempt(suspect, failures)
      if (removed !== undefined) counts[removed] += 1
      await yieldToOthers()
    }
    const removals = counts.freed + counts.rules + counts.ifbs
    const waiting = suspects.filter(({ kind }) => kind !== 'file').length - removals
    return { attachments: alive, ...counts, waiting, failures }
  }

  /** Addresses first: an ADD reserves, then makes the veth, so what is seen without one was without it later, too. */
  async #observe(failures: string[]): Promise<Sight> {
    const addresses = await observeAddresses(this.#store)
    const ruleOwners = this.#ruleOwners(failures)
    return { network: this.#config.name, addresses, ruleOwners, links: observeLinks() }
  }

  #ruleOwners(failures: string[]): Sight['ruleOwners'] {
    try {
      return observeRuleOwners()
    } catch (error) {
      failures.push(messageOf(error))
      return []
    }
  }

  /** So that no DEL has to read all files to find its own. */
  #prepare(): void {
    try {
      makeFolders(this.#store)
      completeIndex(this.#store)
    } catch (error) {
      this.#options.log.debug({}, messageOf(error))
    }
  }

  /** Removes one, and says what; undefined when it is not stale after all, or resists. */
  async #attempt(suspect: Removable, failures: string[]): Promise<'freed' | 'rules' | 'ifbs' | undefined> {
    try {
      if (suspect.kind === 'ifb') return await this.#removeIfb(suspect)
      if (suspect.kind === 'rules') return await this.#removeRules(suspect)
      return await this.#free(suspect)
    } catch (error) {
      failures.push(messageOf(error))
      return undefined
    }
  }

  /**
   * DELs an attachment that is dead for good. When its ADD is not under way it has ended; when there is no veth then,
   * there will be none; and when its files are the same, this is the same attachment. A next ADD of the same name
   * is refused as long as it holds them.
   */
  async #free({ attachment, veth, addresses, mark }: Stale<'attachment'>): Promise<'freed' | undefined> {
    const names = addresses.map(({ file }) => file)
    const current = () => markOf(readAddresses(this.#store, names))
    if (isUnderWay(this.#store, attachment) || hasLink(veth) || current() !== mark) return undefined
    await podwire.del(this.#delCall(attachment))
    const { containerId, ifname } = attachment
    const what = `${names.join(' and ')} of container ${containerId}, interface ${ifname}`
    if (current() === mark)
      throw new Error(`Cannot free ${what}: DEL left it as it was; see the log before this`)
    this.#options.log.info(
      { containerId, ifname, addresses: names },
      `Freed ${what}: its veth ${veth} is gone, and so its namespace`,
    )
    return 'freed'
  }

  async #removeRules({ owner }: Stale<'rules'>): Promise<'rules' | undefined> {
    if (hasLink(owner.veth)) return undefined
    removeRulesOf(owner)
    this.#options.log.info(
      { veth: owner.veth },
      `Removed the rules of ${owner.veth}: it is gone, and nobody holds an address by it`,
    )
    return 'rules'
  }

  async #removeIfb({ name, index }: Stale<'ifb'>): Promise<'ifbs' | undefined> {
    if (linkIndex(name) !== index) return undefined
    await this.#options.world.removeLink(name)
    this.#options.log.info({ ifb: name }, `Removed the ifb device ${name}: the veth that it was for is gone`)
    return 'ifbs'
  }

  #delCall(attachment: Attachment): DelCall {
    return {
      world: this.#options.world,
      env: {
        command: 'DEL',
        attachment,
        netns: undefined,
        path: [],
        args: new Map(),
        ownNetnsAllowed: false,
      },
      config: this.#config,
      trace: SILENT,
      attachment,
      netns: undefined,
    }
  }

  /** Tells people of each file once; none is removed, for nobody knows whose it is. */
  #tell(files: readonly Stale<'file'>[]): void {
    for (const { name, problem } of files.filter(file => !this.#told.has(file.name))) {
      this.#options.log.warn(
        { file: `${this.#store.folder}/${name}` },
        `Left the address ${name} taken: ${problem}; remove ${this.#store.folder}/${name} when no container uses it`,
      )
    }
    this.#told = new Set(files.map(({ name }) => name))
  }
}
