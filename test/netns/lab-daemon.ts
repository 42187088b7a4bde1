import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * With PODWIRE_FAST in the environment the labs' calls take the fast path: each lab's node has a daemon, and runtimes
 * start the launcher. Everything that holds for the executable holds for them.
 */
export const IS_FAST = Boolean(process.env['PODWIRE_FAST'])

const DEADLINE_MS = 20_000
const POLL_MS = 5

/** Enters the namespaces it is given, with the folder in the place of /run/podwire, which all labs share otherwise. */
const ENTER =
  'mkdir -p /run/podwire && mount --bind "$1" /run/podwire && exec nsenter --net="$2" "$3" --plugin-only --log-level=error'

/** Puts the plugin into a folder as on a node: the launcher, and what it starts when no daemon is there. */
export function installPlugin(folder: string): void {
  const dist = resolve(import.meta.dirname, '../../dist')
  mkdirSync(join(folder, 'bin/podwire.d'), { recursive: true })
  for (const name of ['podwire', 'podwire-ipam']) {
    copyFileSync(join(dist, 'podwire-launch'), join(folder, 'bin', name))
    symlinkSync(join(dist, name), join(folder, 'bin/podwire.d', name))
  }
}

/** The daemon of one lab, in the namespace of its host. */
export class LabDaemon {
  readonly #child: ChildProcess
  readonly socket: string
  #isStopped = false

  constructor(folder: string, netns: string) {
    const state = join(folder, 'podwire')
    mkdirSync(state)
    this.socket = join(state, 'podwired.sock')
    const podwired = resolve(import.meta.dirname, '../../dist/podwired')
    const inside = ['sh', '-c', ENTER, 'sh', state, netns, podwired]
    // Namespaces that are made later are to be seen there too.
    this.#child = spawn('unshare', ['-m', '--propagation=slave', ...inside], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  }

  /** The command that starts another where this daemon is, once it is up; of one that was stopped there is no place. */
  async enter(): Promise<string[]> {
    if (this.#isStopped) return []
    for (const deadline = Date.now() + DEADLINE_MS; !existsSync(this.socket); await sleep(POLL_MS))
      if (Date.now() > deadline || this.#child.exitCode !== null)
        throw new Error('The lab’s daemon does not come up')
    return ['nsenter', `--mount=/proc/${this.#child.pid}/ns/mnt`, `--wd=${process.cwd()}`]
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Ends it, once; throws when it had ended before. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#child.exitCode !== null) throw new Error(`The lab’s daemon ended with ${this.#child.exitCode}`)
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}
