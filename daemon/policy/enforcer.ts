import { setImmediate as nextTurn } from 'node:timers/promises'
import { messageOf } from '../../cni/spec/error.ts'
import type { World } from '../../cni/spec/world.ts'
import type { Log } from '../core/log.ts'
import { affected } from '../core/policy/affected.ts'
import { difference } from '../core/policy/difference.ts'
import type { Direction } from '../core/policy/network-policy.ts'
import type { RuleSet } from '../core/policy/rule-set.ts'
import { Rounds } from '../core/rounds.ts'
import { changePolicy, loadPolicy, policyDifferences } from '../edge/policy-table.ts'

/** What an {@link Enforcer} works with. */
export interface EnforcerOptions {
  /** The rules as they should be now. */
  readonly compile: () => RuleSet
  /** A rule set that isolates nobody. */
  readonly nothing: RuleSet
  readonly world: Pick<World, 'env'>
  readonly log: Log
  /** Told how long a round took, in milliseconds. */
  readonly timed: (step: 'compile' | 'apply', milliseconds: number) => void
  /** Told that all rules were loaded: what others did to those before is gone. */
  readonly loaded: () => void
  /** Told which pods' connections may be forbidden by the rules that are in force now. */
  readonly tightened: (pods: Readonly<Record<Direction, ReadonlySet<string>>>, rules: RuleSet) => void
}

/**
 * Keeps the kernel's rules as they are compiled: each time only what differs from the last. It goes by what it has done
 * itself; what others do to the table, {@link look} finds.
 */
export class Enforcer {
  readonly #options: EnforcerOptions
  readonly #rounds = new Rounds(() => this.#round())
  /** The rules that are in force; undefined when that is not known. */
  #present: RuleSet | undefined
  /** The last rules that were in force: those that connections have been judged by. */
  #judged: RuleSet
  #isToLook = false

  constructor(options: EnforcerOptions) {
    this.#options = options
    this.#judged = options.nothing
  }

  /** The last rules that were in force. */
  get rules(): RuleSet {
    return this.#judged
  }

  /** Puts in force what has changed; done when everything is that was known when this was called. Throws for people. */
  update(): Promise<void> {
    return this.#rounds.run()
  }

  /** The same, and looks whether the kernel still has what it was given. */
  look(): Promise<void> {
    this.#isToLook = true
    return this.update()
  }

  async #round(): Promise<void> {
    // What else is heard in this turn of the event loop is of the same round.
    await nextTurn()
    const { compile, timed, tightened } = this.#options
    const started = performance.now()
    const wanted = compile()
    timed('compile', performance.now() - started)
    const compiled = performance.now()
    await this.#apply(wanted)
    timed('apply', performance.now() - compiled)
    tightened(affected(this.#judged, wanted), wanted)
    this.#judged = wanted
  }

  async #apply(wanted: RuleSet): Promise<void> {
    const { world, log } = this.#options
    const present = await this.#takePresent()
    const isLoaded = present === undefined || !(await this.#change(present, wanted))
    if (isLoaded) {
      await loadPolicy(world, wanted)
      const size = `${wanted.chains.size} chains, ${wanted.sets.size} sets`
      log.info({}, `Loaded the rules of all NetworkPolicies: ${size}`)
    }
    this.#present = wanted
    if (isLoaded) this.#options.loaded()
  }

  /** A failure may leave it unknown what is in force, so it is until the round has ended well. */
  async #takePresent(): Promise<RuleSet | undefined> {
    const present = this.#present
    const isToLook = this.#isToLook
    this.#present = undefined
    this.#isToLook = false
    if (!isToLook || present === undefined) return present
    const wrong = await policyDifferences(present)
    if (wrong.length === 0) return present
    this.#options.log.warn(
      { differences: wrong },
      `Somebody changed the rules of NetworkPolicies: ${wrong.join('; ')}`,
    )
    return undefined
  }

  /** False when the table is not as it was left. */
  async #change(present: RuleSet, wanted: RuleSet): Promise<boolean> {
    const { world, log } = this.#options
    try {
      await changePolicy(world, wanted, difference(present, wanted))
      return true
    } catch (error) {
      log.warn({}, `Cannot change the rules of NetworkPolicies: ${messageOf(error)}; loading all of them`)
      return false
    }
  }
}
