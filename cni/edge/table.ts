import { dumpElements, parseElement, splitElements } from '../core/netlink/element.ts'
import { udpPortsOf } from '../core/host-ports.ts'
import type { Request } from '../core/netlink/message.ts'
import {
  dumpRules,
  getChain,
  parseChainUse,
  parseRule,
  removeChain,
  type Rule,
} from '../core/netlink/rule.ts'
import {
  commentOf,
  type FilledChain,
  MAP_NAMES,
  type MapName,
  type Owned,
  ownedChain,
  ownedElement,
  type OwnedElement,
  type Owner,
  placeOf,
  removal,
  sameOwner,
  spoofChain,
  targetsOf,
} from '../core/table.ts'
import { CniError } from '../spec/error.ts'
import { forgetFlows } from './conntrack.ts'
import { dump, netfilter, unlessAbsent } from './netfilter.ts'
import { isErrno } from './netlink.ts'

/*
 * Table `inet podwire` over netlink: looking costs some 10 µs a map, changing some 50 µs, and no program starts.
 */

/** How often something is tried that others undo meanwhile. */
const TRIES = 5
/** So many things are removed in one transaction: the kernel's answers have to fit into the socket's buffer. */
const REMOVED_AT_ONCE = 100

/** Changes the table in one transaction. Throws the kernel's refusal. */
export const changeTable = (changes: readonly Request[]): void => netfilter().transaction(changes)

/** `nft list map inet podwire MAP`: what has an owner, or this one alone; empty when there is no such map. */
function elementsOf(map: MapName, owner?: Owner): OwnedElement[] {
  // Understanding a thousand elements takes 3 ms, looking for some bytes in them 0.1 ms.
  const comment = owner && Buffer.from(commentOf(owner))
  return dump(dumpElements(map))
    .filter(({ body }) => comment === undefined || includes(body, comment))
    .flatMap(({ body }) => splitElements(body))
    .filter(bytes => comment === undefined || includes(bytes, comment))
    .flatMap(bytes => parseElement(bytes) ?? [])
    .flatMap(element => ownedElement(map, element) ?? [])
    .filter(element => owner === undefined || sameOwner(element.owner, owner))
}

const includes = (bytes: Uint8Array, part: Buffer): boolean =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes(part)

/** `nft list chain inet podwire CHAIN`, or all chains. */
const rulesOf = (chain?: string): Rule[] => dump(dumpRules(chain)).map(({ body }) => parseRule(body))

/** How many rules each chain has that has any. */
export const countAllRules = (): ReadonlyMap<string, number> =>
  new Map([...Map.groupBy(rulesOf(), ({ chain }) => chain)].map(([chain, { length }]) => [chain, length]))

/** How many rules each of these chains has. */
export const countRules = (chains: readonly FilledChain[]): ReadonlyMap<string, number> =>
  new Map(chains.map(({ chain }) => [chain, rulesOf(chain).length]))

/** Everything in our table that carries an owner. */
export const listOwned = (): Owned[] => [
  ...MAP_NAMES.flatMap(map => elementsOf(map)),
  ...rulesOf().flatMap(rule => ownedChain(rule) ?? []),
]

/** What one attachment owns. */
export const listOwnedBy = (owner: Owner): Owned[] => [
  ...MAP_NAMES.flatMap(map => elementsOf(map, owner)),
  ...rulesOf(spoofChain(owner.veth))
    .flatMap(rule => ownedChain(rule) ?? [])
    .filter(thing => sameOwner(thing.owner, owner)),
]

/** The elements that have the places of these. */
export function listInPlaceOf(elements: readonly OwnedElement[]): OwnedElement[] {
  const places = new Set(elements.map(placeOf))
  const maps = new Set(elements.map(({ map }) => map))
  return [...maps].flatMap(map => elementsOf(map)).filter(element => places.has(placeOf(element)))
}

/** Removes what is chosen from the table, and the subnets' chains that no address leads to any more. */
export const removeOwned = (isChosen: (thing: Owned) => boolean): void =>
  remove(() => listOwned().filter(isChosen))

/** Removes what one attachment owns. */
export const removeRulesOf = (owner: Owner): void => remove(() => listOwnedBy(owner))

function remove(look: () => Owned[]): void {
  const seen: Owned[] = []
  for (let attempt = 1; attempt <= TRIES; attempt += 1) {
    const owned = look()
    seen.push(...owned)
    if (!isRemoved(owned)) continue
    removeUnused(targetsOf(seen))
    return forgetFlows(udpPortsOf(seen))
  }
  throw new CniError(
    'try-again',
    `Cannot remove rules from table "inet podwire": others changed it during each of ${TRIES} tries`,
  )
}

/** False when somebody else has removed some of it meanwhile. */
function isRemoved(owned: readonly Owned[]): boolean {
  try {
    for (let at = 0; at < owned.length; at += REMOVED_AT_ONCE)
      changeTable(removal(owned.slice(at, at + REMOVED_AT_ONCE)))
    return true
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** Removes those of these chains that nothing leads to any more. */
export function removeUnused(chains: readonly string[]): void {
  for (const chain of chains.filter(isUnused)) {
    try {
      changeTable(removeChain(chain))
    } catch (error) {
      // Another was faster, or an address leads there again.
      if (!isErrno(error, 'ENOENT', 'EBUSY')) throw error
    }
  }
}

/** Whether a chain is there and used by nothing but its own rules. */
function isUnused(chain: string): boolean {
  const reply = unlessAbsent(netlink => netlink.request(getChain(chain)))
  return reply !== undefined && parseChainUse(reply.body) <= rulesOf(chain).length
}
