import { setTimeout as sleep } from 'node:timers/promises'
import { COMMANDS } from '../cni/spec/environment.ts'
import type { Policies } from '../cni/spec/policies.ts'
import type { World } from '../cni/spec/world.ts'
import { Calls } from './calls.ts'
import type { Called } from './core/called.ts'
import type { Answer, Frame } from './core/frame.ts'
import type { Log } from './core/log.ts'
import { removeLinks } from './edge/links.ts'
import { type Carrier, listen, type SocketServer } from './edge/socket.ts'
import { pluginWorld } from './edge/world.ts'
import type { Part } from './reconcile.ts'
import { Together } from './together.ts'
import { warmUp } from './warm.ts'

/** Where launchers find the daemon; they know no other place. */
const SOCKET = '/run/podwire/podwired.sock'

/** A DEL that comes while another's link is deleted waits so long for company. */
const COLLECT_MS = 2
/** Deletions at a time: each is another thread's, of the four that Node.js has for such. */
const BATCHES = 3

/** What the service is made from. */
export interface ServiceOptions {
  /** Where the node's settings can be written. */
  readonly sysctlDir: string
  /** Whether everything that pods need of the node is in force. */
  readonly isReady: () => boolean
  readonly called: (call: Called) => void
  /** Who puts a pod's NetworkPolicies in force; the plugin's own way without. */
  readonly policies?: Policies
  readonly log: Log
}

/** Serves launchers; a part of the daemon that must be there before the conflist is. */
export class Service implements Part, Carrier {
  readonly name = 'socket'
  readonly needs = [] as const
  /** What the plugin's code is called with, whoever calls it here. */
  readonly world: World
  readonly #calls: Calls
  readonly #called: (call: Called) => void
  readonly #log: Log
  #server: SocketServer | undefined

  constructor({ sysctlDir, isReady, called, policies, log }: ServiceOptions) {
    const links = new Together({ work: removeLinks, pause: () => sleep(COLLECT_MS), atOnce: BATCHES })
    this.#log = log
    this.world = pluginWorld(log, sysctlDir, name => links.add(name), policies)
    this.#called = called
    this.#calls = new Calls({ world: this.world, isReady })
  }

  /** To be awaited before anything else is begun. */
  warmUp(): Promise<void> {
    return warmUp(this.#calls, this.#log)
  }

  async reconcile(): Promise<void> {
    this.#server ??= await listen(SOCKET, this, this.#log)
  }

  takes(frame: Frame): boolean {
    return this.#calls.takes(frame)
  }

  async carryOut(frame: Frame, isAwaited: () => boolean): Promise<Answer> {
    const started = this.world.now()
    const answer = await this.#calls.carryOut(frame, isAwaited)
    const milliseconds = this.world.now() - started
    this.#called({ command: commandOf(frame), code: answer.code, milliseconds })
    tell(this.#log, frame, answer, milliseconds)
    return answer
  }

  /** Takes no more calls, and waits for those at work. */
  async close(): Promise<void> {
    await this.#server?.close()
  }
}

/** Whoever calls may set CNI_COMMAND to anything, and metrics keep what they were once told. */
const commandOf = ({ env }: Frame): string =>
  COMMANDS.find(command => command === env['CNI_COMMAND']) ?? 'other'

/** A failure is told here as well: the runtime may show it to nobody, or to somebody who does not look at nodes. */
function tell(log: Log, { env }: Frame, { code, stdout }: Answer, milliseconds: number): void {
  const { CNI_COMMAND: command, CNI_CONTAINERID: container, CNI_IFNAME: ifname } = env
  const fields = { command, container, ifname, milliseconds: Number(milliseconds.toFixed(2)) }
  if (code === 0) log.debug(fields, `${command} is done`)
  else log.warn(fields, `${command} failed: ${messageIn(stdout)}`)
}

/** The sentence in an error's JSON. */
function messageIn(stdout: string): string {
  const { msg } = JSON.parse(stdout || '{}') as { msg?: string }
  return msg ?? 'without a word'
}
