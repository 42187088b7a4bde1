import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Lab } from '../netns/lab.ts'

/** What a talker is told, one JSON in a line; each gets one line back. */
export type Command =
  /** Says something over a new connection. */
  | ({ readonly kind: 'ask'; readonly protocol: 'tcp' | 'udp'; readonly to: string } & Ends)
  /** Keeps a TCP connection open under a name, and says something over it. */
  | { readonly kind: 'keep'; readonly name: string; readonly to: string }
  /** Says something over a connection that was kept. */
  | { readonly kind: 'again'; readonly name: string; readonly patienceMs?: number }
  /** Asks several at once, by TCP and UDP, and waits this long for all of them. */
  | { readonly kind: 'reach'; readonly addresses: readonly string[]; readonly patienceMs: number }

/** How a question is asked, where that matters. */
export interface Ends {
  /** The address to ask from. */
  readonly from?: string | undefined
  /** The port to ask from. */
  readonly fromPort?: number | undefined
  /** The port to ask at, when it is not the talkers' own. */
  readonly port?: number | undefined
  /** How long to wait for an answer, in milliseconds. */
  readonly patienceMs?: number | undefined
}

/** How long somebody who may well be out of reach is waited for; within a machine an answer takes a millisecond. */
const SHORT_MS = 400

interface Teardown {
  teardown(handler: () => unknown): void
}

/** A process in a namespace that tells everyone who asks by which address it sees them, and asks others that. */
export class Talker {
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  /** Starts one; it listens when this answers. With a name it says that, too, before the address. */
  static async start(t: Teardown, lab: Lab, netns: string, name = ''): Promise<Talker> {
    const program = `${import.meta.dirname}/talker-process.ts`
    const child = spawn('nsenter', [`--net=${lab.path(netns)}`, process.execPath, program, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(async () => {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    })
    const talker = new Talker(child)
    await talker.#answer()
    return talker
  }

  /** The address that `to` sees this talker by, or what went wrong. */
  ask = (protocol: 'tcp' | 'udp', to: string, from?: string): Promise<string> =>
    this.askAt(protocol, to, { from })

  /** The same, from and to ports of one's choice. */
  askAt = (protocol: 'tcp' | 'udp', to: string, ends: Ends): Promise<string> =>
    this.#tell({ kind: 'ask', protocol, to, ...ends })

  /** What comes of asking each of these at once, by TCP and UDP: as many answers or failures. */
  reach = async (...addresses: readonly string[]): Promise<string[]> =>
    JSON.parse(await this.#tell({ kind: 'reach', addresses, patienceMs: SHORT_MS })) as string[]

  /** As {@link ask}, over a connection that stays; `again` asks over it again. */
  async keep(to: string): Promise<{ seen: string; again: (patienceMs?: number) => Promise<string> }> {
    const seen = await this.#tell({ kind: 'keep', name: to, to })
    const again = (patienceMs?: number): Promise<string> =>
      this.#tell({ kind: 'again', name: to, ...(patienceMs === undefined ? {} : { patienceMs }) })
    return { seen, again }
  }

  /** One thing at a time: the answers come in the order of the commands. */
  #tell(command: Command): Promise<string> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    return this.#answer()
  }

  async #answer(): Promise<string> {
    const { done, value } = await this.#answers.next()
    if (done === true) throw new Error('Cannot talk on: the process has ended')
    return value
  }
}
