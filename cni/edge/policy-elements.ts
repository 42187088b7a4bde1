import { bytesOf } from '../../ipam/core/ip.ts'
import { closing, hasPods, MACS_SET, type Place, removal } from '../core/closing.ts'
import { macBytes } from '../core/mac.ts'
import { dumpElements, getElement, parseElement, splitElements } from '../core/netlink/element.ts'
import { dumpSets, parseSet, type SetShape } from '../core/netlink/set.ts'
import type { Attached } from '../core/pod.ts'
import { CniError } from '../spec/error.ts'
import { dump, unlessAbsent } from './netfilter.ts'
import { isErrno } from './netlink.ts'
import { changeTable } from './table.ts'

/*
 * The policies' elements of table `inet podwire`, for when podwired is not there. Asking a set for an address costs some
 * 10 µs, however much is in it.
 */

/** How often something is tried that others undo meanwhile. */
const TRIES = 5

/** What of a pod is in sets of policies, or was of whoever had its addresses before. */
type Held = Pick<Attached, 'addresses' | 'mac'>

/** Takes a pod's addresses out of all sets of policies: what they may, and what they may not. Throws `try-again`. */
export function takeOut(held: Held): void {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return changeTable(removal(placesOf(held)))
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      if (attempt === TRIES) throw overtaken(error)
    }
  }
}

/** The same, and closes the pod that has them, in one transaction. Throws `try-again`. */
export function close(pod: Attached): void {
  for (let attempt = 1; ; attempt += 1) {
    const former = placesOf(pod)
    try {
      return changeTable([...removal(former), ...closing(pod)])
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EEXIST')) throw error
      if (attempt < TRIES) continue
      throw isErrno(error, 'EEXIST') || former.length > 0 ? overtaken(error) : notThere(pod, error)
    }
  }
}

const overtaken = (cause: unknown): CniError =>
  new CniError(
    'try-again',
    `Cannot change what policies say of a pod in table "inet podwire": others changed it during each of ${TRIES} tries; try again`,
    { cause },
  )

const notThere = ({ namespace, name }: Attached, cause: unknown): CniError =>
  new CniError(
    'try-again',
    `Cannot close pod ${namespace}/${name}, whose namespace has NetworkPolicies: their chains are not in table "inet podwire"; podwired puts them there, see its log`,
    { cause },
  )

/**
 * Where addresses are in the sets of policies, and a MAC: whose MAC is known is asked for his address, and that is not
 * known any more.
 */
const placesOf = ({ addresses, mac }: Held): Place[] => [
  ...dump(dumpSets())
    .map(({ body }) => parseSet(body))
    .filter(hasPods)
    .flatMap(set => {
      const own = addresses.filter(({ family }) => family.version === set.version)
      return keysIn(set, own.map(bytesOf)).map(key => ({ set: set.name, key }))
    }),
  ...(mac === undefined ? [] : [macBytes(mac)])
    .filter(key => has(MACS_SET, key))
    .map(key => ({ set: MACS_SET, key })),
]

/** The keys in a set that are one of these addresses, or begin with one. */
function keysIn({ name, parts }: SetShape, addresses: readonly Uint8Array[]): Uint8Array[] {
  if (addresses.length === 0) return []
  if (parts === 1) return addresses.filter(address => has(name, address))
  return dump(dumpElements(name))
    .flatMap(({ body }) => splitElements(body))
    .flatMap(bytes => parseElement(bytes)?.key ?? [])
    .filter(key => addresses.some(address => address.every((byte, i) => key[i] === byte)))
}

const has = (set: string, key: Uint8Array): boolean =>
  unlessAbsent(netlink => netlink.find(getElement(set, key), 'ENOENT')) !== undefined
