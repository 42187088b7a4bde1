import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Config, Lab } from '../netns/lab.ts'
import type { Swept } from './sweeper.ts'

interface Teardown {
  teardown(handler: () => void): void
}

/** A sweep that runs in the namespace of a lab's host. */
export class Broom {
  readonly #child
  readonly #answers: AsyncIterator<string>

  /** `grace` in milliseconds of the clock that {@link sweep} gives. */
  constructor(
    t: Teardown,
    lab: Lab,
    config: Config,
    grace: number,
    env: Readonly<Record<string, string>> = {},
  ) {
    const sweeper = `${import.meta.dirname}/sweeper.ts`
    const command = [process.execPath, sweeper, JSON.stringify(config), String(grace)]
    this.#child = spawn('nsenter', [`--net=${lab.path(lab.host)}`, ...command], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    t.teardown(() => this.#child.kill())
  }

  /** Sweeps as if it were this time; one at a time. */
  async sweep(time: number): Promise<Swept> {
    this.#child.stdin.write(`${time}\n`)
    const { value, done } = await this.#answers.next()
    if (done === true) throw new Error('the sweep has ended')
    return JSON.parse(value) as Swept
  }
}
