import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

/** How long an answer may take, in milliseconds. */
const PATIENCE_MS = 60_000

/** A program that is running, and what it says on stdout, line by line. */
interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly lines: AsyncIterator<string>
  readonly errors: Promise<string>
}

/** A program that answers each line of its stdin with lines, and ends each answer with an empty one. */
export class Conversation {
  readonly #start: () => ChildProcessWithoutNullStreams
  #running: Running | undefined

  /** It is started when it is first asked, and anew when it is asked after its end. */
  constructor(start: () => ChildProcessWithoutNullStreams) {
    this.#start = start
  }

  /** One question at a time. Throws when the program ends instead of answering, with what it said on stderr. */
  async ask(question: string): Promise<string[]> {
    const { child, lines, errors } = (this.#running ??= this.#run())
    const impatient = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    child.stdin.write(`${question}\n`)
    try {
      const answer: string[] = []
      for (;;) {
        const { value, done } = await lines.next()
        if (done === true) throw new Error(`Nobody answers any more: ${await errors}`)
        if (value === '') return answer
        answer.push(value)
      }
    } catch (error) {
      this.#running = undefined
      throw error
    } finally {
      clearTimeout(impatient)
    }
  }

  /** Lets the program end. */
  end(): void {
    this.#running?.child.stdin.end()
  }

  #run(): Running {
    const child = this.#start()
    // What cannot be written is not answered either, and that is told.
    child.stdin.on('error', () => {})
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, lines, errors: text(child.stderr) }
  }
}
