import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { encodeFrame, type Said } from '../support/frame.ts'

/** A launcher of which every move is a test's own. */
export class Launcher {
  readonly #socket: Socket
  #heard = Buffer.alloc(0)

  constructor(path: string) {
    this.#socket = connect(path)
    this.#socket.on('data', (chunk: Buffer) => (this.#heard = Buffer.concat([this.#heard, chunk])))
    this.#socket.on('error', () => {})
  }

  say(text: string | Uint8Array): void {
    this.#socket.write(text)
  }

  call(said: Said): void {
    this.say(encodeFrame(said))
  }

  /** The daemon's first byte. */
  async reply(): Promise<string> {
    while (this.#heard.length === 0) await once(this.#socket, 'data')
    return this.#heard.toString('latin1', 0, 1)
  }

  /** All that follows it, once the daemon has closed. */
  async answer(): Promise<{ code: number; stdout: string; stderr: string } | undefined> {
    await this.closed()
    const bytes = this.#heard.subarray(1)
    if (bytes.length < 12) return undefined
    const [code, out] = [bytes.readUInt32LE(0), 12 + bytes.readUInt32LE(4)]
    return { code, stdout: bytes.toString('utf8', 12, out), stderr: bytes.toString('utf8', out) }
  }

  async closed(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close')
  }

  leave(): void {
    this.#socket.destroy()
  }
}
