import type { ChildProcess } from 'node:child_process'
import { createInterface, type Interface } from 'node:readline'
import { encodeBatch, type Job, parseRun, type Run } from './batch.ts'

/** The program of runner.c at work. It ends when its standard input does. */
export class Runner {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface

  /** `child`: the program, with pipes at standard input and output. */
  constructor(child: ChildProcess) {
    this.#child = child
    this.#reader = createInterface(child.stdout!)
    this.#lines = this.#reader[Symbol.asyncIterator]()
  }

  /** Runs all jobs, so many at once; they begin in their order. Throws when one fails. */
  async run(jobs: readonly Job[], workers = 1): Promise<Run> {
    this.#child.stdin!.write(encodeBatch(jobs, workers))
    const lines: string[] = []
    while (lines.length <= jobs.length) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error('Cannot go on: a call failed; what it said stands above')
      lines.push(value)
    }
    return parseRun(lines)
  }

  close(): void {
    this.#child.stdin!.end()
    this.#reader.close()
  }
}
