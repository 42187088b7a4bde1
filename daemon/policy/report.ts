import type { Compiler } from '../core/policy/compile.ts'
import { countElements, type DroppedPackets, dropsByPod, type PolicyCounts } from '../core/policy/counts.ts'
import { dropLine, type Line } from '../core/policy/drop-line.ts'
import type { DroppedPacket } from '../core/policy/dropped-packet.ts'
import { droppedPackets } from '../edge/policy-table.ts'
import type { Enforcer } from './enforcer.ts'

/** What people and metrics are told of policies. */
export class PolicyReport {
  readonly #compiler: Compiler
  readonly #enforcer: Enforcer

  constructor(compiler: Compiler, enforcer: Enforcer) {
    this.#compiler = compiler
    this.#enforcer = enforcer
  }

  /** What is in force, in words. */
  describe(): string {
    const { policies, isolatedPods } = this.counts()
    return `${policies} NetworkPolicies, ${isolatedPods} isolated pods here`
  }

  counts(): PolicyCounts {
    return { ...this.#compiler.counts(), elements: countElements(this.#enforcer.rules) }
  }

  /** Packets that were dropped, as the kernel has counted them. */
  dropped(): DroppedPackets[] {
    return dropsByPod(droppedPackets(), address => this.#compiler.podAt(address))
  }

  /** The log's line for a packet that was dropped. */
  lineOf(packet: DroppedPacket): Line {
    return dropLine(packet, { rules: this.#enforcer.rules, podAt: address => this.#compiler.podAt(address) })
  }
}
