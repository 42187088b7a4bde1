import { statSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { podwire } from '../cni/plugin.ts'
import { CniError } from '../cni/spec/error.ts'
import type { AttachmentCall, Plugin } from '../cni/spec/plugin.ts'
import { run } from '../cni/spec/run.ts'
import type { World } from '../cni/spec/world.ts'
import { ipam } from '../ipam/plugin.ts'
import type { Answer, FileId, Frame } from './core/frame.ts'
import { Queues } from './core/queues.ts'
import { isVisible } from './core/visible.ts'
import { identify } from './edge/identify.ts'
import type { Carrier } from './edge/socket.ts'

const PLUGINS: Readonly<Record<string, Plugin>> = { podwire, 'podwire-ipam': ipam }

/** What the calls of launchers are carried out with. */
export interface CallsOptions {
  /** What all calls have in common. */
  readonly world: World
  /** Whether everything that pods need of the node is in force. */
  readonly isReady: () => boolean
}

/** Carries out the calls that launchers hand over: the same code as in the executable, already running. */
export class Calls implements Carrier {
  readonly #options: CallsOptions
  readonly #mounts = statSync('/proc/self/ns/mnt', { bigint: true }).ino
  readonly #queues = new Queues()

  constructor(options: CallsOptions) {
    this.#options = options
  }

  takes(frame: Frame): boolean {
    return isVisible(frame, this.#mounts)
  }

  /** Calls for one attachment one after another, in the order in which they came; others at the same time. */
  carryOut(frame: Frame, isAwaited: () => boolean): Promise<Answer> {
    const { CNI_CONTAINERID: container, CNI_IFNAME: ifname } = frame.env
    return this.#queues.run(`${container}/${ifname}`, () => this.#carryOut(frame, isAwaited))
  }

  async #carryOut(frame: Frame, isAwaited: () => boolean): Promise<Answer> {
    const { world, isReady } = this.#options
    const printed = { stdout: '', stderr: '' }
    const plugin = guard(PLUGINS[frame.program] ?? podwire, frame, isReady)
    const code = await run(worldOf(world, frame, printed, isAwaited), plugin)
    return { code, ...printed }
  }
}

/** The world of one call. */
const worldOf = (
  world: World,
  frame: Frame,
  printed: { stdout: string; stderr: string },
  isAwaited: () => boolean,
): World => ({
  ...world,
  program: frame.program,
  env: { ...world.env, ...frame.env },
  stdin: async () => frame.stdin,
  stdout: async text => {
    // A call may take one turn of the event loop; that somebody has left meanwhile is heard of in the next, whose end
    // is the second from here.
    await nextTurn()
    await nextTurn()
    if (!isAwaited()) throw new Error('the launcher is gone')
    printed.stdout = text
  },
  stderr: line => void (printed.stderr += `${line}\n`),
})

/** A plugin that refuses what a daemon must not do for a launcher. */
const guard = (plugin: Plugin, frame: Frame, isReady: () => boolean): Plugin => ({
  ...plugin,
  add: async call => {
    if (!isReady()) throw new CniError('try-again', NOT_READY)
    refuseUnseen(call, frame.netns)
    return plugin.add(call)
  },
  check: async call => {
    refuseUnseen(call, frame.netns)
    return plugin.check(call)
  },
  status: async call => {
    if (!isReady()) throw new CniError('not-available', NOT_READY)
    return plugin.status(call)
  },
})

const NOT_READY =
  'Cannot wire pods yet: podwired has not come up since this node was started; try again, or see its log'

/**
 * Refuses a namespace that CNI_NETNS leads the launcher to and not the daemon: /proc/PID/ns/net means somebody else
 * where process ids are others, and a path may lead nowhere. What is nowhere for both is the plugin's to refuse.
 */
function refuseUnseen({ netns }: AttachmentCall, seen: FileId | undefined): void {
  const found = identify(netns)
  if (found?.dev === seen?.dev && found?.ino === seen?.ino) return
  throw new CniError(
    'invalid-environment',
    `Cannot see the network namespace CNI_NETNS="${netns.slice(0, 200)}" from podwired: it ${found === undefined ? 'is not there' : 'is another one'} in its container; have the runtime keep namespaces in /run/netns, or stop podwired`,
  )
}
