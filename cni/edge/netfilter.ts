import type { Request, Reply } from '../core/netlink/message.ts'
import { subsystemOf } from '../core/netlink/nfnetlink.ts'
import { isErrno, Netlink, PROTOCOL } from './netlink.ts'
import { currentNetns } from './netns.ts'

/** What a kernel answers that has no such object, or no such part of netfilter at all. */
const ABSENT = ['ENOENT', 'EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT'] as const

/**
 * A socket to netfilter. It stays open as long as the process stays in its namespace: before one is closed, the kernel
 * frees what was deleted last, which takes it some 15 ms, and everybody else's changes wait for that
 * (net/netfilter/nf_tables_api.c, nft_rcv_nl_event).
 */
class Kept {
  #kept: { readonly netns: string; readonly netlink: Netlink } | undefined

  get(): Netlink {
    const netns = currentNetns()
    if (this.#kept?.netns === netns) return this.#kept.netlink
    this.#kept?.netlink[Symbol.dispose]()
    this.#kept = undefined
    this.#kept = { netns, netlink: new Netlink(PROTOCOL.netfilter) }
    return this.#kept.netlink
  }
}

/** A socket for what takes long: whoever asks anything meanwhile asks another. */
class Aside {
  readonly #socket = new Kept()
  #earlier: Promise<unknown> = Promise.resolve()

  dump<T>(request: Request, parse: (reply: Reply) => T | undefined): Promise<T[]> {
    const mine = this.#earlier.then(() => this.#socket.get().dumpAside(request, parse, ...ABSENT))
    this.#earlier = mine.catch(() => {})
    return mine
  }
}

const own = new Kept()
/** One for each part of netfilter: to list a table is not to wait until a hundred thousand connections are listed. */
const asides = new Map<number, Aside>()

/** The process's socket to netfilter. */
export const netfilter = (): Netlink => own.get()

/** Answers with what `look` finds; undefined when the kernel has nothing of the kind. */
export function unlessAbsent<T>(look: (netlink: Netlink) => T): T | undefined {
  try {
    return look(netfilter())
  } catch (error) {
    if (isErrno(error, ...ABSENT)) return undefined
    throw error
  }
}

/** The answers to a dump; none when the kernel has nothing of the kind. */
export const dump = (request: Request): Reply[] =>
  unlessAbsent(netlink => netlink.dump(request, ...ABSENT)) ?? []

/**
 * What `parse` makes of the answers to a dump, see {@link Netlink.dumpAside}. Several dumps of one part of netfilter take
 * turns.
 */
export function dumpAside<T>(request: Request, parse: (reply: Reply) => T | undefined): Promise<T[]> {
  const subsystem = subsystemOf(request)
  const aside = asides.get(subsystem) ?? new Aside()
  asides.set(subsystem, aside)
  return aside.dump(request, parse)
}
