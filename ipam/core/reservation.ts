import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { type Attachment, isName } from '../../cni/spec/environment.ts'

/**
 * Who holds an address, as its file says it. `ifname` is undefined in files of host-local before 0.8: they hold for
 * every interface of the container. An empty file is one that its writer did not get to fill.
 */
export type Owner =
  | { readonly kind: 'held'; readonly containerId: string; readonly ifname: string | undefined }
  | { readonly kind: 'empty' }
  | { readonly kind: 'damaged' }

/** The content of an address's file, byte for byte that of the reference host-local. */
export const formatReservation = ({
  containerId,
  ifname,
}: {
  containerId: string
  ifname: string | undefined
}): string => `${containerId}\r\n${ifname}`

/** Reads the content of an address's file. */
export function parseReservation(text: string): Owner {
  const [containerId = '', ifname, ...more] = text.trim().split(/\r?\n/)
  if (containerId === '') return { kind: 'empty' }
  if (!isName(containerId) || ifname === '' || more.length > 0) return { kind: 'damaged' }
  return { kind: 'held', containerId, ifname }
}

/** How an owner relates to an attachment: `legacy` means that the file names the container only. */
export function matchOwner(owner: Owner, attachment: Attachment): 'exact' | 'legacy' | 'other' {
  if (owner.kind !== 'held' || owner.containerId !== attachment.containerId) return 'other'
  if (owner.ifname === undefined) return 'legacy'
  return owner.ifname === attachment.ifname ? 'exact' : 'other'
}

/**
 * Those of some reservations that are an attachment's: the ones that name it, or, when none does, the legacy ones
 * of its container.
 */
export function ownedBy<T extends { readonly owner: Owner }>(all: readonly T[], attachment: Attachment): T[] {
  const exact = all.filter(({ owner }) => matchOwner(owner, attachment) === 'exact')
  return exact.length > 0 ? exact : all.filter(({ owner }) => matchOwner(owner, attachment) === 'legacy')
}

/** The name of an owner's folder in the index. Hashed: a container id may be longer than a file's name. */
export const indexKey = (containerId: string, ifname: string | undefined): string =>
  bytesToHex(sha256(new TextEncoder().encode(`${containerId}/${ifname ?? ''}`)))
