import type { Connection } from '../../cni/core/netlink/conntrack.ts'
import { ownAddresses } from '../../cni/edge/own-addresses.ts'
import { messageOf } from '../../cni/spec/error.ts'
import type { Log } from '../core/log.ts'
import { packetOf } from '../core/policy/connection.ts'
import { judge } from '../core/policy/judge.ts'
import { type Direction, DIRECTIONS } from '../core/policy/network-policy.ts'
import type { RuleSet } from '../core/policy/rule-set.ts'
import { Rounds } from '../core/rounds.ts'
import { cutConnections } from '../edge/connections.ts'

type Pods = Readonly<Record<Direction, ReadonlySet<string>>>

/** What a {@link Cutter} works with. */
export interface CutterOptions {
  /** The name of this node. */
  readonly node: string
  readonly log: Log
  /** Told how many connections were cut. */
  readonly cut: (connections: number) => void
}

/**
 * Cuts connections that policies no longer allow: the kernel forgets them, so their next packets meet the rules again.
 * Looking at all connections takes the kernel milliseconds, in which nobody here waits.
 */
export class Cutter {
  readonly #options: CutterOptions
  readonly #rounds = new Rounds(() => this.#round())
  #pods: Record<Direction, ReadonlySet<string>> = { ingress: new Set(), egress: new Set() }
  #rules: RuleSet | undefined

  constructor(options: CutterOptions) {
    this.#options = options
  }

  /** Has the connections of pods with these addresses judged by rules that are in force, and those that are left from before. */
  judge(pods: Pods, rules: RuleSet): void {
    this.#rules = rules
    this.#add(pods)
    if (DIRECTIONS.every(direction => this.#pods[direction].size === 0)) return
    const { log } = this.#options
    this.#rounds
      .run()
      .catch((error: unknown) =>
        log.error(
          {},
          `Cannot cut connections that NetworkPolicies no longer allow: ${messageOf(error)}; trying again soon`,
        ),
      )
  }

  #add(pods: Pods): void {
    for (const direction of DIRECTIONS) this.#pods[direction] = this.#pods[direction].union(pods[direction])
  }

  async #round(): Promise<void> {
    const pods = this.#pods
    this.#pods = { ingress: new Set(), egress: new Set() }
    try {
      await this.#cut(pods)
    } catch (error) {
      this.#add(pods)
      throw error
    }
  }

  async #cut(pods: Pods): Promise<void> {
    const { node, log, cut } = this.#options
    const rules = this.#rules!
    const own = ownAddresses()
    const isAllowed = (connection: Connection): boolean =>
      judge(rules, node, packetOf(connection, { node, addresses: own })) === 'accept'
    const connections = await cutConnections(pods, isAllowed)
    if (connections === 0) return
    cut(connections)
    log.info({ connections }, `Cut ${connections} connections that NetworkPolicies no longer allow`)
  }
}
