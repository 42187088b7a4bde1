import { refuseUnknownArgs } from '../cni/spec/environment.ts'
import { CniError } from '../cni/spec/error.ts'
import type { AttachmentCall } from '../cni/spec/plugin.ts'
import type { Result, ResultIp } from '../cni/spec/result.ts'
import { allocate, type Candidate } from './core/allocate.ts'
import { KNOWN_ARGS, parseIpamConfig } from './core/config.ts'
import { type Cidr, formatCidr, formatIp, type Ip } from './core/ip.ts'
import { formatSet, rangeOf } from './core/range.ts'
import { dealWishes, type Wish } from './core/wishes.ts'
import { areStamped, cursorTimes, readCursor, stampCursors, writeCursor } from './edge/cursor.ts'
import { adopt, makeIndexFolder } from './edge/index.ts'
import { readResolvConf } from './edge/resolv-conf.ts'
import { claim, indexed, makeFolders, removeFolder, type Store, taken, unclaim } from './edge/store.ts'
import { quietly, storeOf } from './open.ts'

/** The addresses that one ADD holds. */
export interface Reservation {
  /** Addresses with the prefix of their subnet, gateways, routes, dns; no interfaces. */
  readonly result: Result
  /** Gives back what this call reserved, never what another call did. Does not throw: a DEL finds what is left. */
  release(): void
  /** The ADD that this is part of is done: from now on it no longer counts as under way. */
  settle(): void
}

/** Shows, until disposed, that an ADD is at work on the attachment whose folder in the index this is. */
export type Announce = (folder: string) => Disposable | undefined

/** ADD: an address from each range set. */
export const add = async (call: AttachmentCall): Promise<Result> => reserve(call).result

/**
 * Reserves an address from each range set for an attachment; on any error none. With `announce`, the daemon's sweep
 * knows the ADD to be under way until it is settled or released. Throws `invalid-environment`, `invalid-config`, `io`,
 * `attachment-exists`, `pool-exhausted`, `address-taken`, `try-again`, `store`.
 */
export function reserve(call: AttachmentCall, announce?: Announce): Reservation {
  refuseUnknownArgs(call.env.args, KNOWN_ARGS)
  const config = parseIpamConfig(call.config, call.env.args)
  const wishes = dealWishes(call.config.name, config)
  const dns = config.resolvConf === undefined ? {} : readResolvConf(config.resolvConf)
  using undo = new DisposableStack()
  const entered = enter(call, undo, announce)
  const ips = wishes.map((wish, i) => hold(entered, wish, i, config.exclude))
  const done = undo.move()
  return {
    result: { interfaces: [], ips, routes: config.routes, dns },
    release: () => done.dispose(),
    settle: () => entered.announcement?.[Symbol.dispose](),
  }
}

/** An ADD at work on a store. */
interface Entered {
  readonly call: AttachmentCall
  readonly store: Store
  /** The attachment's own folder in the index. */
  readonly folder: string
  /** Takes back, in reverse, what was done so far. */
  readonly undo: DisposableStack
  readonly announcement: Disposable | undefined
}

/** Makes the attachment's folder in the index, once it is sure that the attachment holds no address. */
function enter(call: AttachmentCall, undo: DisposableStack, announce: Announce | undefined): Entered {
  const store = storeOf(call)
  makeFolders(store)
  completeIndex(store)
  const [first] = indexed(store, call.attachment)
  if (first !== undefined) {
    throw new CniError(
      'attachment-exists',
      `${describe(call)}: ${formatIp(first.ip)} has been allocated to it, duplicate allocation is not allowed; send a DEL first`,
    )
  }
  const folder = makeIndexFolder(store, call.attachment)
  // Before any address is held, until after the last is given back.
  const announcement = undo.use(announce?.(folder))
  undo.defer(() => quietly(store, () => removeFolder(folder)))
  return { call, store, folder, undo, announcement }
}

/** Takes into the index what host-local reserved since we were last here. Throws `store`. */
export function completeIndex(store: Store): void {
  const seen = cursorTimes(store)
  if (areStamped(seen)) return
  adopt(store)
  stampCursors(store, seen)
}

/** Holds one address of the i-th range set. */
function hold(entered: Entered, wish: Wish, i: number, exclude: readonly Cidr[]): ResultIp {
  const { call, store, folder } = entered
  const { ip, range } =
    wish.ip === undefined ? chooseAny(entered, wish, i, exclude) : chooseWished(entered, wish, wish.ip)
  writeCursor(store, i, ip, folder)
  const address = { ip, prefix: range.subnet.prefix }
  call.trace.step(`# reserve ${formatCidr(address)} in ${store.folder}`)
  return { address, gateway: range.gateway }
}

function chooseAny(entered: Entered, { set }: Wish, i: number, exclude: readonly Cidr[]): Candidate {
  const { call, store } = entered
  const keeper = { claim: (ip: Ip) => tryClaim(entered, ip), taken: () => taken(store) }
  const choice = allocate(set, readCursor(store, i), exclude, keeper)
  if (choice !== undefined) return choice
  throw new CniError(
    'pool-exhausted',
    `${describe(call)}: no IP addresses available in range set: ${formatSet(set)}; remove containers, widen "ipam.ranges", or free with GC what no container holds`,
  )
}

function chooseWished(entered: Entered, { set }: Wish, ip: Ip): Candidate {
  const range = rangeOf(set, ip)
  if (range !== undefined && tryClaim(entered, ip)) return { ip, range }
  throw new CniError(
    'address-taken',
    `${describe(entered.call)}: requested IP address ${formatIp(ip)} is not available in range set ${formatSet(set)}; it is taken: ask for another one`,
  )
}

function tryClaim({ call, store, undo }: Entered, ip: Ip): boolean {
  const claimed = claim(store, call.attachment, ip)
  if (claimed !== undefined) undo.defer(() => quietly(store, () => unclaim(store, call.attachment, claimed)))
  return claimed !== undefined
}

const describe = ({ attachment, config }: AttachmentCall): string =>
  `Cannot reserve an address for ${attachment.containerId}/${attachment.ifname} in network "${config.name}"`
