import { closeSync, write } from 'node:fs'
import { promisify } from 'node:util'
import {
  doneErrno,
  encodeRequest,
  FLAG,
  parseAck,
  type Reply,
  type Request,
  splitReplies,
  TYPE,
} from '../core/netlink/message.ts'
import { CniError } from '../spec/error.ts'
import { errno, errnoName, libc } from './libc.ts'

// include/uapi/linux/netlink.h, asm-generic/socket.h
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SOL_NETLINK = 270
const OPTIONS = { capAck: 10, extAck: 11, strictCheck: 12 } as const

/** write(2) in a thread of the pool; on an unconnected netlink socket it is a send to the kernel. */
const writeAside = promisify(write)

/** What a socket is about: links, addresses and routes, or rules. */
export const PROTOCOL = { route: 0, netfilter: 12 } as const

const TIMEOUT_SECONDS = 10n
/** The kernel sends dumps in datagrams of at most 32 KiB (net/netlink/af_netlink.c), but never more than the buffer. */
const BUFFER_BYTES = 64 * 1024
const DUMP_TRIES = 5

/** A request that the kernel refused. */
export class NetlinkError extends CniError {
  /** Its errno, by name: `EEXIST`. */
  readonly errno: string

  constructor(refusal: string, sentence: string | undefined) {
    super('netlink', sentence === undefined ? refusal : `${refusal} (${sentence})`)
    this.errno = refusal
  }
}

/** Whether a thrown value is the kernel's refusal with one of these errnos. */
export const isErrno = (thrown: unknown, ...names: string[]): boolean =>
  thrown instanceof NetlinkError && names.includes(thrown.errno)

/**
 * A netlink socket of the network namespace it was opened in, whichever namespace the thread is in later.
 * Calls are synchronous: the kernel carries a request out before `send` returns, so there is nothing to wait for.
 */
export class Netlink implements Disposable {
  readonly #fd: number
  readonly #buffer = Buffer.alloc(BUFFER_BYTES)
  #sequence = 0

  constructor(protocol: number = PROTOCOL.route) {
    this.#fd = libc().socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol)
    if (this.#fd < 0) throw new CniError('netlink', `Cannot open a netlink socket: ${errnoName(errno())}`)
    const one = Buffer.from(Uint32Array.of(1).buffer)
    // Old kernels refuse some of these; then errors carry less text and dumps are filtered here.
    for (const option of Object.values(OPTIONS)) libc().setsockopt(this.#fd, SOL_NETLINK, option, one, 4)
    const timeout = Buffer.from(BigInt64Array.of(TIMEOUT_SECONDS, 0n).buffer)
    libc().setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeout, 16)
  }

  /** Sends one request and waits for its answer: none for an acknowledged change, one for a GET. */
  request(request: Request): Reply | undefined {
    return this.#answerTo(this.#send(request))
  }

  /**
   * Sends one request from another thread, for what the kernel takes long over: the others wait for nothing meanwhile.
   * One at a time on a socket.
   */
  async requestAside(request: Request): Promise<void> {
    const { bytes, sequence } = this.#encode(request)
    await writeAside(this.#fd, bytes)
    this.#answerTo(sequence)
  }

  /** Sends a dump request and collects all parts; starts again when the kernel says that they do not fit together. */
  dump(request: Request): Reply[] {
    for (let attempt = 1; attempt <= DUMP_TRIES; attempt += 1) {
      const replies = this.#collect(this.#send(request))
      if (replies.every(reply => (reply.flags & FLAG.dumpInterrupted) === 0)) return replies
    }
    throw new CniError(
      'try-again',
      `Cannot list the kernel's objects: they changed during each of ${DUMP_TRIES} tries`,
    )
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  #collect(sequence: number): Reply[] {
    const replies: Reply[] = []
    for (;;) {
      for (const reply of this.#receive()) {
        if (reply.sequence !== sequence) continue
        if (reply.type === TYPE.error) throwIfRefused(reply)
        if (reply.type === TYPE.done) {
          const failed = doneErrno(reply)
          if (failed !== 0) throw new NetlinkError(errnoName(failed), 'at the end of a list')
          return replies
        }
        replies.push(reply)
      }
    }
  }

  #answerTo(sequence: number): Reply | undefined {
    for (;;) {
      for (const reply of this.#receive()) {
        if (reply.sequence !== sequence) continue
        if (reply.type !== TYPE.error) return reply
        throwIfRefused(reply)
        return undefined
      }
    }
  }

  #encode(request: Request): { bytes: Buffer; sequence: number } {
    this.#sequence += 1
    return { bytes: Buffer.from(encodeRequest(request, this.#sequence)), sequence: this.#sequence }
  }

  #send(request: Request): number {
    const { bytes, sequence } = this.#encode(request)
    const sent = libc().send(this.#fd, bytes, BigInt(bytes.length), 0)
    if (sent < 0n) throw new NetlinkError(errnoName(errno()), 'while sending')
    return sequence
  }

  #receive(): Reply[] {
    const length = libc().recv(this.#fd, this.#buffer, BigInt(BUFFER_BYTES), 0)
    if (length < 0n) throw new NetlinkError(errnoName(errno()), 'while receiving')
    // A copy: the next datagram overwrites the buffer while replies are still in use.
    return splitReplies(new Uint8Array(this.#buffer.subarray(0, Number(length))))
  }
}

function throwIfRefused(reply: Reply): void {
  const { errno: number, sentence } = parseAck(reply)
  if (number !== 0) throw new NetlinkError(errnoName(number), sentence)
}
