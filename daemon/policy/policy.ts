import type { Attached } from '../../cni/core/pod.ts'
import { ownAddresses } from '../../cni/edge/own-addresses.ts'
import { forgetPod, rememberPod, WITHOUT_DAEMON } from '../../cni/edge/policies.ts'
import { CniError, messageOf } from '../../cni/spec/error.ts'
import type { Policies } from '../../cni/spec/policies.ts'
import type { World } from '../../cni/spec/world.ts'
import { type Cidr, formatIp } from '../../ipam/core/ip.ts'
import { Arrivals } from './arrivals.ts'
import { Attachments } from './attachments.ts'
import type { Cluster, Touched } from '../core/cluster.ts'
import { BRIDGE, NETWORK } from '../core/conflist.ts'
import type { Log } from '../core/log.ts'
import type { NodeName } from '../core/node.ts'
import type { PolicyOptions } from '../core/options.ts'
import { compile, Compiler } from '../core/policy/compile.ts'
import { podKey } from '../core/policy/objects.ts'
import { Cutter } from './cutter.ts'
import { filterFrames, filtersBridged, isolatePorts } from '../edge/isolation.ts'
import { keepNamespaces } from '../edge/policy-state.ts'
import { Enforcer, type EnforcerOptions } from './enforcer.ts'
import { FormerAddresses } from './former-addresses.ts'
import { Heard } from './heard.ts'
import { PolicyReport } from './report.ts'
import { type Part, Waiting } from '../reconcile.ts'

/** How long an ADD waits for the API server to tell of its pod: the kubelet has heard of it, so we are about to. */
const PATIENCE_MS = 1_000

/** What NetworkPolicies are enforced with. */
export interface PolicyPartOptions {
  readonly nodeName: NodeName
  readonly options: PolicyOptions
  readonly cluster: Cluster
  readonly world: Pick<World, 'env'>
  readonly log: Log
  readonly watcher: PolicyWatcher
}

/** Who is told what becomes of it. */
export interface PolicyWatcher {
  readonly timed: EnforcerOptions['timed']
  readonly cut: (connections: number) => void
  /** A pod was wired that the API server has not told of. */
  readonly unknown: () => void
  /** Something heard could not be put in force; everything is to be looked at. */
  readonly failed: (problem: string) => void
  /** Everything has been listed, so the rules can be loaded. */
  readonly listed: () => void
}

/** The NetworkPolicies of this node's pods: compiled from what the API server tells and from who is wired. */
export class Policy implements Part, Policies {
  readonly name = 'policy'
  readonly needs = ['node'] as const
  readonly #options: PolicyPartOptions
  readonly #compiler: Compiler
  readonly #enforcer: Enforcer
  readonly #attachments: Attachments
  readonly #arrivals = new Arrivals()
  readonly #former = new FormerAddresses()
  readonly #podCidrs = new Map<string, Cidr>()
  /** Addresses of pods whose ADD is under way: there are no connections to judge. */
  readonly #fresh = new Set<string>()
  /** Takes in what the API server tells. */
  readonly heard: Heard
  readonly report: PolicyReport
  /** Whether everything is known, so that rules can be compiled. */
  #isOn = false
  #hasFailed = false
  #isClean = false
  #hasWarned = false

  constructor(made: PolicyPartOptions) {
    const { nodeName, options, world, log, watcher } = made
    const wish = { node: nodeName, unknownPods: options.fail, log: options.log }
    const nothing = compile({ pods: [], namespaces: [], policies: [], podCidrs: [], attached: [] }, wish)
    const cutter = new Cutter({ node: nodeName, log, cut: watcher.cut })
    this.#options = made
    this.#compiler = new Compiler(wish)
    this.#attachments = new Attachments(this.#compiler, log)
    this.#enforcer = new Enforcer({
      compile: () => this.#compiler.compile(),
      nothing,
      world,
      log,
      timed: watcher.timed,
      loaded: () => this.#attachments.sync() && this.#enforce(),
      tightened: ({ ingress, egress }, rules) => {
        const pods = { ingress: ingress.difference(this.#fresh), egress: egress.difference(this.#fresh) }
        if (options.strict) cutter.judge(pods, rules)
      },
    })
    this.report = new PolicyReport(this.#compiler, this.#enforcer)
    this.heard = new Heard({
      compiler: this.#compiler,
      log,
      changed: () => this.#enforce(),
      listed: watcher.listed,
      arrived: key => this.#arrivals.come(key),
    })
  }

  async reconcile(): Promise<void> {
    const { missing } = this.heard
    if (missing.length > 0) throw new Waiting(`the API server has not listed the ${missing.join(', ')} yet`)
    const { cluster } = this.#options
    const isBridgeFiltered = filtersBridged()
    if (isBridgeFiltered) await this.#filterFrames()
    // From here to where it is on nothing waits: an ADD in between would be in no rules.
    this.#note(new Set([...cluster.podCidrs(), ...this.#podCidrs.keys()]))
    this.#attachments.sync()
    isolatePorts(BRIDGE, NETWORK, !isBridgeFiltered)
    this.#isOn = true
    await this.#enforcer.look()
    keepNamespaces(this.#compiler.namespaces)
    await this.#forgetFormer()
    this.#recover()
  }

  /** A kernel that cannot do that is no reason to keep the node from being ready. */
  async #filterFrames(): Promise<void> {
    const { world, log } = this.#options
    try {
      await filterFrames(world)
    } catch (error) {
      if (!this.#hasWarned) log.warn({}, messageOf(error))
      this.#hasWarned = true
    }
  }

  /** Who was here before this process may have left addresses that nobody has forgotten. */
  async #forgetFormer(): Promise<void> {
    if (this.#isClean) return
    const { cluster, nodeName } = this.#options
    const own = ownAddresses()
    const isOwned = (address: string): boolean =>
      own.has(address) || this.#compiler.podAt(address) !== undefined
    await this.#former.forgetUnowned(cluster.node(nodeName)?.podCidrs ?? [], isOwned)
    this.#isClean = true
  }

  async update({ podCidrs }: Touched): Promise<void> {
    if (!this.#isOn || podCidrs.size === 0) return
    this.#note(podCidrs)
    await this.#enforcer.update()
  }

  /** Before everything is known, the rules that there are stay, and a pod is closed that may need others. */
  async attach(pod: Attached): Promise<void> {
    if (!this.#isOn) return WITHOUT_DAEMON.attach(pod)
    rememberPod(pod)
    this.#attachments.add(pod)
    const addresses = pod.addresses.map(formatIp)
    for (const address of addresses) this.#fresh.add(address)
    try {
      await this.#await(pod)
      await this.#enforcer.update()
    } catch (error) {
      throw new CniError(
        'try-again',
        `Cannot put the NetworkPolicies of pod ${podKey(pod)} in force: ${messageOf(error)}; try again`,
        { cause: error },
      )
    } finally {
      for (const address of addresses) this.#fresh.delete(address)
    }
  }

  async detach(id: string): Promise<void> {
    if (!this.#isOn) return WITHOUT_DAEMON.detach(id)
    await this.#former.forget(this.#attachments.addressesOfOnly(id))
    forgetPod(id)
    // Most that is deleted is no pod that policies know.
    if (this.#attachments.remove(id)) this.#enforce()
  }

  async #await(pod: Attached): Promise<void> {
    const { options, log, watcher } = this.#options
    const isKnown = (): boolean => this.#compiler.isKnown(pod.id)
    if (await this.#arrivals.until(podKey(pod), isKnown, PATIENCE_MS)) return
    watcher.unknown()
    log.warn(
      { namespace: pod.namespace, pod: pod.name, uid: pod.uid },
      `The API server has not told of pod ${podKey(pod)} within ${PATIENCE_MS} ms: it is ${options.fail} until then`,
    )
  }

  /** Puts in force what is known by now. After a failure that is the loop's, which does not try at each event. */
  #enforce(): void {
    if (!this.#isOn || this.#hasFailed) return
    this.#apply().catch((error: unknown) => {
      this.#hasFailed = true
      this.#options.watcher.failed(messageOf(error))
    })
  }

  async #apply(): Promise<void> {
    await this.#enforcer.update()
    keepNamespaces(this.#compiler.namespaces)
  }

  /** All is well again: what was heard meanwhile is put in force. */
  #recover(): void {
    if (!this.#hasFailed) return
    this.#hasFailed = false
    this.#enforce()
  }

  /** Takes over what the cluster says of some networks. */
  #note(podCidrs: ReadonlySet<string>): void {
    const { cluster } = this.#options
    let isChanged = false
    for (const text of podCidrs) {
      const owner = cluster.ownerOf(text)
      if ((owner === undefined) === this.#podCidrs.has(text)) isChanged = true
      if (owner === undefined) this.#podCidrs.delete(text)
      else this.#podCidrs.set(text, owner.cidr)
    }
    if (isChanged) this.#compiler.setPodCidrs([...this.#podCidrs.values()])
  }
}
