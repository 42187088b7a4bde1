import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { encodeAnswer, type Frame, GO, parseFrame, TAKEN } from '../../daemon/core/frame.ts'

/** A launcher that has connected, as a daemon sees it. */
export class Caller {
  readonly #socket: Socket
  readonly #ended: Promise<void>
  #received = Buffer.alloc(0)
  #isOver = false
  #wake = (): void => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    this.#ended = new Promise(resolve => {
      socket.on('close', () => {
        this.#isOver = true
        this.#wake()
        resolve()
      })
    })
  }

  /** What it asks for. */
  async call(): Promise<Frame> {
    for (;;) {
      const frame = parseFrame(this.#received)
      if (frame !== undefined) {
        this.#received = Buffer.alloc(0)
        return frame
      }
      if (this.#isOver) throw new Error('the launcher left early')
      await this.#more()
    }
  }

  /** All that it says until it leaves, after what has been heard. */
  async rest(): Promise<string> {
    await this.#ended
    return this.#received.toString('latin1')
  }

  /** Takes its call, and waits until it lets go; answers whether it did. */
  async take(): Promise<boolean> {
    this.say(TAKEN)
    while (this.#received.length === 0 && !this.#isOver) await this.#more()
    return this.#received.toString('latin1') === GO
  }

  say(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Answers, and closes. */
  answer(stdout: string, stderr = '', code = 0): void {
    this.#socket.end(encodeAnswer({ code, stdout, stderr }))
  }

  /** Closes after the last byte. */
  end(): void {
    this.#socket.end()
  }

  /** Closes as the kernel does it for a process that dies. */
  die(): void {
    this.#socket.destroy()
  }

  /** Hears nothing any more. */
  ignore(): void {
    this.#socket.pause()
  }

  /** Waits for its next bytes, or its end. */
  #more(): Promise<void> {
    return new Promise(resolve => (this.#wake = resolve))
  }
}

/** A daemon that does with each caller what a test wants. */
export async function podwired(t: Test, folder: string, meet: (caller: Caller) => unknown): Promise<void> {
  const callers = new Set<Socket>()
  const server = createServer(socket => {
    callers.add(socket)
    void (async () => meet(new Caller(socket)))().catch(error => t.fail(String(error)))
  })
  server.listen({ path: `${folder}/podwired.sock`, backlog: 511 })
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of callers) socket.destroy()
    server.close()
  })
}

/** A daemon that takes every call. */
export const taking = (
  t: Test,
  folder: string,
  answer: (caller: Caller, frame: Frame) => void,
): Promise<void> =>
  podwired(t, folder, async caller => {
    const frame = await caller.call()
    if (!(await caller.take())) throw new Error('the launcher did not let go')
    answer(caller, frame)
  })
