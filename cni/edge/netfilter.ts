import type { Request, Reply } from '../core/netlink/message.ts'
import { isErrno, Netlink, PROTOCOL } from './netlink.ts'
import { currentNetns } from './netns.ts'

/** What a kernel answers that has no such object, or no such part of netfilter at all. */
const ABSENT = ['ENOENT', 'EINVAL', 'EOPNOTSUPP', 'EPROTONOSUPPORT'] as const

let kept: { readonly netns: string; readonly netlink: Netlink } | undefined

/**
 * The process's one socket to netfilter. It stays open as long as the process stays in its namespace: before one is
 * closed, the kernel frees what was deleted last, which takes it some 15 ms, and everybody else's changes wait for that
 * (net/netfilter/nf_tables_api.c, nft_rcv_nl_event).
 */
export function netfilter(): Netlink {
  const netns = currentNetns()
  if (kept?.netns === netns) return kept.netlink
  kept?.netlink[Symbol.dispose]()
  kept = undefined
  kept = { netns, netlink: new Netlink(PROTOCOL.netfilter) }
  return kept.netlink
}

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
