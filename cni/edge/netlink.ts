import { closeSync, read, write } from 'node:fs'
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
import { BATCH } from '../core/netlink/nfnetlink.ts'
import { CniError } from '../spec/error.ts'
import { errno, errnoName, libc } from './libc.ts'

// include/uapi/linux/netlink.h, asm-generic/socket.h
const AF_NETLINK = 16
const SOCK_RAW_CLOEXEC = 3 | 0o2000000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_SNDBUFFORCE = 32
const SOL_NETLINK = 270
const MSG_DONTWAIT = 0x40
const OPTIONS = { capAck: 10, extAck: 11, strictCheck: 12 } as const

/** write(2) in a thread of the pool; on an unconnected netlink socket it is a send to the kernel. */
const writeAside = promisify(write)
/** read(2) likewise: the kernel makes the next part of a list while somebody receives. */
const readAside = promisify(read)

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
    if (this.#fd < 0) throw new NetlinkError(errnoName(errno()), 'while opening a netlink socket')
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

  /** Like {@link request}, for what may well not be there: undefined when the kernel refuses with one of these. */
  find(request: Request, ...absent: string[]): Reply | undefined {
    return this.#answerTo(this.#send(request), absent)
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

  /**
   * Sends changes of nftables as one transaction, all of them or none. Throws the first refusal. The kernel tells of
   * each refusal unasked, the last change asks for an answer, and one that concerns the whole comes in the name of
   * the beginning.
   */
  transaction(changes: readonly Request[]): void {
    const [last, ...others] = changes.toReversed()
    if (last === undefined) return
    const asking = { ...last, flags: last.flags | FLAG.ack }
    const batch = [BATCH.begin, ...others.toReversed(), asking, BATCH.end].map(part => this.#encode(part))
    this.#put(Buffer.concat(batch.map(({ bytes }) => bytes)))
    const [begin, end] = [batch[0]!.sequence, batch.at(-1)!.sequence]
    for (;;) {
      for (const reply of this.#receive()) {
        if (reply.sequence < begin) continue
        throwIfRefused(reply)
        if (reply.sequence === end - 1) return
      }
    }
  }

  /**
   * Sends a dump request and collects all parts; none when the kernel refuses with one of these. Starts again when the
   * kernel says that the parts do not fit together.
   */
  dump(request: Request, ...absent: string[]): Reply[] {
    for (let attempt = 1; attempt <= DUMP_TRIES; attempt += 1) {
      const listing = new Listing(this.#send(request), reply => reply, absent)
      while (!listing.isComplete) listing.take(this.#receive())
      if (!listing.isInterrupted) return listing.parts
    }
    throw interrupted()
  }

  /**
   * Like {@link dump}, for long lists and long searches: other threads wait for the kernel, and what is received is read
   * part by part, with time for others in between. Answers with what `parse` makes of the parts, undefined left out; it
   * sees parts again when the list starts again. One at a time on a socket.
   */
  async dumpAside<T>(
    request: Request,
    parse: (reply: Reply) => T | undefined,
    ...absent: string[]
  ): Promise<T[]> {
    for (let attempt = 1; attempt <= DUMP_TRIES; attempt += 1) {
      const { bytes, sequence } = this.#encode(request)
      const listing = new Listing(sequence, parse, absent)
      await writeAside(this.#fd, bytes)
      while (!listing.isComplete) listing.take(await this.#receiveAside())
      if (!listing.isInterrupted) return listing.parts
    }
    throw interrupted()
  }

  /**
   * The next datagram of what the kernel tells unasked; none when there is none yet. Throws ENOBUFS, once, when the kernel
   * had more to tell than the socket has room for; what there was room for comes after that.
   */
  told(): Reply[] {
    const length = libc().recv(this.#fd, this.#buffer, BigInt(BUFFER_BYTES), MSG_DONTWAIT)
    if (length >= 0n) return this.#replies(Number(length))
    const name = errnoName(errno())
    if (name === 'EAGAIN') return []
    throw new NetlinkError(name, 'while receiving')
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  #answerTo(sequence: number, absent: readonly string[] = []): Reply | undefined {
    for (;;) {
      for (const reply of this.#receive()) {
        if (reply.sequence !== sequence) continue
        if (reply.type !== TYPE.error) return reply
        throwIfRefused(reply, absent)
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
    this.#put(bytes)
    return sequence
  }

  #put(bytes: Buffer): void {
    // What is too long for the socket's buffer would be refused.
    if (bytes.length > BUFFER_BYTES) this.#widen(bytes.length)
    const sent = libc().send(this.#fd, bytes, BigInt(bytes.length), 0)
    if (sent < 0n) throw new NetlinkError(errnoName(errno()), 'while sending')
  }

  #widen(bytes: number): void {
    const value = Buffer.from(Int32Array.of(2 * bytes).buffer)
    libc().setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, value, 4)
  }

  #receive(): Reply[] {
    const length = libc().recv(this.#fd, this.#buffer, BigInt(BUFFER_BYTES), 0)
    if (length < 0n) throw new NetlinkError(errnoName(errno()), 'while receiving')
    return this.#replies(Number(length))
  }

  async #receiveAside(): Promise<Reply[]> {
    try {
      const { bytesRead } = await readAside(this.#fd, this.#buffer, 0, BUFFER_BYTES, null)
      return this.#replies(bytesRead)
    } catch (error) {
      throw new NetlinkError(`${(error as NodeJS.ErrnoException).code}`, 'while receiving')
    }
  }

  /** A copy: the next datagram overwrites the buffer while replies are still in use. */
  #replies = (length: number): Reply[] => splitReplies(new Uint8Array(this.#buffer.subarray(0, length)))
}

/** A list that the kernel sends in parts. */
class Listing<T> {
  readonly parts: T[] = []
  isComplete = false
  /** The parts do not fit together. */
  isInterrupted = false
  readonly #sequence: number
  readonly #parse: (reply: Reply) => T | undefined
  readonly #absent: readonly string[]

  constructor(sequence: number, parse: (reply: Reply) => T | undefined, absent: readonly string[]) {
    this.#sequence = sequence
    this.#parse = parse
    this.#absent = absent
  }

  /** Takes what was received. Throws the kernel's refusal, unless it says that there is no such thing. */
  take(replies: readonly Reply[]): void {
    for (const reply of replies) {
      if (reply.sequence === this.#sequence) this.#takeOne(reply)
    }
  }

  #takeOne(reply: Reply): void {
    if ((reply.flags & FLAG.dumpInterrupted) !== 0) this.isInterrupted = true
    if (reply.type === TYPE.error) throwIfRefused(reply, this.#absent)
    this.isComplete = reply.type === TYPE.error || reply.type === TYPE.done
    if (reply.type === TYPE.done) {
      const failed = doneErrno(reply)
      if (failed !== 0) throw new NetlinkError(errnoName(failed), 'at the end of a list')
    }
    const part = this.isComplete ? undefined : this.#parse(reply)
    if (part !== undefined) this.parts.push(part)
  }
}

const interrupted = (): CniError =>
  new CniError(
    'try-again',
    `Cannot list the kernel's objects: they changed during each of ${DUMP_TRIES} tries`,
  )

function throwIfRefused(reply: Reply, absent: readonly string[] = []): void {
  const { errno: number, sentence } = parseAck(reply)
  if (number === 0) return
  const name = errnoName(number)
  if (!absent.includes(name)) throw new NetlinkError(name, sentence)
}
