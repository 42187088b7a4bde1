import { type Attached, formatAttached } from '../cni/core/pod.ts'
import { rememberedPods } from '../cni/edge/policies.ts'
import type { Ip } from '../ipam/core/ip.ts'
import type { Log } from './core/log.ts'
import type { Compiler } from './core/policy/compile.ts'

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

  /** Answers with the addresses that nobody has by now. */
  remove(id: string): readonly Ip[] {
    const pod = this.#pods.get(id)
    this.#pods.delete(id)
    this.#compiler.detach(id)
    return pod?.addresses ?? []
  }

  /** Takes in what others remember who wire pods when the daemon cannot; answers with the addresses that nobody has by now. */
  sync(): readonly Ip[] {
    const pods = rememberedPods(problem => this.#log.warn({}, problem))
    const remembered = new Map(pods.map(pod => [pod.id, pod]))
    const gone = [...this.#pods.values()].filter(pod => !isSame(pod, remembered.get(pod.id)))
    const left = gone.flatMap(({ id }) => this.remove(id))
    for (const pod of remembered.values()) if (!this.#pods.has(pod.id)) this.add(pod)
    return left
  }
}

const isSame = (one: Attached, other: Attached | undefined): boolean =>
  other !== undefined && formatAttached(one) === formatAttached(other)
