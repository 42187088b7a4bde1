import { addressesOfOnly, type Attached, formatAttached } from '../../cni/core/pod.ts'
import { rememberedPods } from '../../cni/edge/policies.ts'
import type { Ip } from '../../ipam/core/ip.ts'
import type { Log } from '../core/log.ts'
import type { Compiler } from '../core/policy/compile.ts'

/** The pods that are wired on this node, as their ADDs have told; what the API server says of them is not asked. */
export class Attachments {
  readonly #compiler: Compiler
  readonly #log: Log
  readonly #pods = new Map<string, Attached>()

  constructor(compiler: Compiler, log: Log) {
    this.#compiler = compiler
    this.#log = log
  }

  add(pod: Attached): void {
    this.#pods.set(pod.id, pod)
    this.#compiler.attach(pod)
  }

  /** The addresses of an attachment that no other has. */
  addressesOfOnly(id: string): readonly Ip[] {
    return addressesOfOnly(id, [...this.#pods.values()])
  }

  /** Answers whether it was there. */
  remove(id: string): boolean {
    this.#compiler.detach(id)
    return this.#pods.delete(id)
  }

  /** Takes in what others remember who wire pods when the daemon does not; answers whether that is news. */
  sync(): boolean {
    const pods = rememberedPods(problem => this.#log.warn({}, problem))
    const remembered = new Map(pods.map(pod => [pod.id, pod]))
    const gone = [...this.#pods.values()].filter(pod => !isSame(pod, remembered.get(pod.id)))
    for (const { id } of gone) this.remove(id)
    const come = pods.filter(({ id }) => !this.#pods.has(id))
    for (const pod of come) this.add(pod)
    return gone.length + come.length > 0
  }
}

const isSame = (one: Attached, other: Attached | undefined): boolean =>
  other !== undefined && formatAttached(one) === formatAttached(other)
