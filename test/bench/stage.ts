import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { until } from '../conformance/until.ts'
import type { Job, Run } from './batch.ts'
import { startChild, startLogged } from './child.ts'
import type { Folders } from './folders.ts'
import { Runner } from './runner.ts'

const ISOLATED = `${import.meta.dirname}/../isolated`
/** Nothing that is run here takes as long. */
const PATIENCE_MS = 60_000
/** Those that `isolated` makes. */
const NAMESPACES = [
  '--net',
  '--mount',
  ...(process.getuid!() === 0 ? [] : ['--user', '--preserve-credentials']),
]
const SOCKET = '/run/podwire/podwired.sock'

/** A node of the benchmark's own: namespaces and a /run that go with it, and a runner inside. */
export class Stage {
  readonly #folders: Folders
  readonly #pid: number
  readonly #runner: Runner
  readonly #children: ChildProcess[] = []

  private constructor(folders: Folders, child: ChildProcess) {
    this.#folders = folders
    this.#pid = child.pid!
    this.#runner = new Runner(child)
  }

  static async start(folders: Folders): Promise<Stage> {
    const stage = new Stage(folders, startChild(ISOLATED, [folders.runner], ['pipe', 'pipe', 'inherit']))
    // What it answers, it answers from inside.
    await stage.#runner.run([{ kind: 'programs', slot: 0, startsAnew: true, env: {}, programs: [] }])
    return stage
  }

  run = (jobs: readonly Job[], workers = 1): Promise<Run> => this.#runner.run(jobs, workers)

  /** Where a path of this node is for everybody else. */
  path = (path: string): string => `/proc/${this.#pid}/root${path}`

  /** Runs a command on this node; answers its output, throws when it fails. */
  command(program: string, ...args: readonly string[]): string {
    const options = { encoding: 'utf8', stdio: 'pipe', timeout: PATIENCE_MS } as const
    return execFileSync('nsenter', this.#enter(program, ...args), options)
  }

  /** The same with an input. */
  feed(input: string, program: string, ...args: readonly string[]): void {
    execFileSync('nsenter', this.#enter(program, ...args), { input, stdio: 'pipe', timeout: PATIENCE_MS })
  }

  /** Makes namespaces for pods. */
  addNamespaces(names: readonly string[]): void {
    this.feed(names.map(name => `netns add ${name}\n`).join(''), 'ip', '-batch', '-')
  }

  /** Starts a program that runs until the stage is closed. */
  start(program: string, ...args: readonly string[]): number {
    const log = `${this.#folders.logs}/${this.#pid}-${this.#children.length}.log`
    const child = startLogged('nsenter', this.#enter(program, ...args), log)
    this.#children.push(child)
    return child.pid!
  }

  /** Starts podwired for the calls of this node; answers its process id when it takes calls. */
  async serve(): Promise<number> {
    const pid = this.start(`${this.#folders.executable}/podwired`, '--plugin-only')
    await until('podwired', async () => existsSync(this.path(SOCKET)), { pause: 5 })
    return pid
  }

  /** Ends all that runs here; the kernel then takes the namespaces away. */
  async close(): Promise<void> {
    for (const child of this.#children.filter(each => each.exitCode === null && each.signalCode === null)) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    this.#runner.close()
  }

  #enter(program: string, ...args: readonly string[]): string[] {
    return [...NAMESPACES, `--target=${this.#pid}`, program, ...args]
  }
}
