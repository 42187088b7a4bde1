import { aliasOf, hostVethName, ifbName, networkOfAlias, networkTag } from '../../cni/core/names.ts'
import type { Owner as RuleOwner } from '../../cni/core/table.ts'
import type { NetworkName } from '../../cni/spec/config.ts'
import { type Attachment, type IfName, parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import type { Owner } from '../../ipam/core/reservation.ts'

/*
 * What no container owns any more. The kernel removes both ends of a veth with the container's namespace, so an
 * attachment lives as long as its veth on the node; and the veth's name follows from the attachment. Who holds an
 * address, a rule or an ifb device without a veth is an ADD or DEL that is at work, or one that died. Time tells them apart.
 */

/** An address's file, as the sweep saw it. */
export interface HeldAddress {
  /** Its name in the network's folder: the address. */
  readonly file: string
  readonly owner: Owner
  /** Tells the file from a later one of the same name. */
  readonly mark: string
}

/** A link of the node. */
export interface NodeLink {
  readonly index: number
  readonly name: string
  readonly alias: string | undefined
  readonly kind: string | undefined
}

/** What the sweep goes by: all of it seen at about the same time, the links last. */
export interface Sight {
  readonly network: NetworkName
  readonly addresses: readonly HeldAddress[]
  readonly ruleOwners: readonly RuleOwner[]
  readonly links: readonly NodeLink[]
}

/** Something that may be stale: of one name and one mark as long as it is the same. */
export type Suspect = { readonly name: string; readonly mark: string } & (
  | {
      readonly kind: 'attachment'
      readonly attachment: Attachment
      readonly veth: IfName
      readonly addresses: readonly HeldAddress[]
    }
  | { readonly kind: 'rules'; readonly owner: RuleOwner }
  /** An ifb device, of the suspect's name. */
  | { readonly kind: 'ifb'; readonly index: number }
  /** An address's file that tells nobody whose it is. */
  | { readonly kind: 'file'; readonly problem: string }
)

/** What a sweep finds. */
export interface Finding {
  /** Attachments that hold addresses and whose veth is there. */
  readonly alive: number
  readonly suspects: readonly Suspect[]
}

type Holder = Omit<Extract<Suspect, { kind: 'attachment' }>, 'mark' | 'kind'>

/** Tells what lives from what may be stale. */
export function examine({ network, addresses, ruleOwners, links }: Sight): Finding {
  const ends = links.filter(({ kind }) => kind !== 'ifb')
  const names = new Set<string>(ends.map(({ name }) => name))
  const aliases = new Set(ends.map(({ alias }) => alias))
  const holders = holdersOf(addresses)
  // Somebody may have given the link another name; its alias still says whose it is.
  const dead = holders.filter(
    ({ attachment, veth }) => !names.has(veth) && !aliases.has(aliasOf(network, attachment)),
  )
  const held = new Set<string>(holders.map(({ veth }) => veth))
  const orphans = ruleOwners.filter(
    owner => owner.network === networkTag(network) && !names.has(owner.veth) && !held.has(owner.veth),
  )
  return {
    alive: holders.length - dead.length,
    suspects: [
      ...dead.map(attachmentSuspect),
      ...links.filter(isOrphanOf(network, ends, holders)).map(ifbSuspect),
      ...new Map(orphans.map(owner => [owner.veth, rulesSuspect(owner)])).values(),
      ...addresses.flatMap(fileSuspect),
    ],
  }
}

/** Whether a link is an ifb device of the network that neither a veth nor somebody who holds addresses goes with. */
function isOrphanOf(network: NetworkName, ends: readonly NodeLink[], holders: readonly Holder[]) {
  // Either link may have another name by now, or the veth no alias yet.
  const names = new Set<string>(ends.map(({ name }) => ifbName(name)))
  const aliases = new Set([
    ...ends.map(({ alias }) => alias),
    ...holders.map(({ attachment }) => aliasOf(network, attachment)),
  ])
  return ({ kind, name, alias }: NodeLink): boolean =>
    kind === 'ifb' && networkOfAlias(alias) === networkTag(network) && !names.has(name) && !aliases.has(alias)
}

const ifbSuspect = ({ name, index }: NodeLink): Suspect => ({
  kind: 'ifb',
  name,
  mark: `index ${index}`,
  index,
})

/** The attachments that hold addresses, each with all of its own. */
function holdersOf(addresses: readonly HeldAddress[]): Holder[] {
  const holders = new Map<string, { attachment: Attachment; addresses: HeldAddress[] }>()
  for (const address of addresses) {
    const attachment = attachmentOf(address.owner)
    if (attachment === undefined) continue
    const name = `${attachment.containerId}/${attachment.ifname}`
    const holder = holders.get(name) ?? { attachment, addresses: [] }
    holder.addresses.push(address)
    holders.set(name, holder)
  }
  return [...holders].map(([name, holder]) => ({ ...holder, name, veth: hostVethName(holder.attachment) }))
}

const attachmentSuspect = (holder: Holder): Suspect => ({
  ...holder,
  kind: 'attachment',
  mark: markOf(holder.addresses),
})

/** Tells what is held from what the same attachment holds at another time, in whatever order it is listed. */
export const markOf = (addresses: readonly HeldAddress[]): string =>
  addresses
    .map(({ file, mark }) => `${file} ${mark}`)
    .toSorted()
    .join()

const rulesSuspect = (owner: RuleOwner): Suspect => ({
  kind: 'rules',
  name: `rules of ${owner.veth}`,
  mark: '',
  owner,
})

/** Files of host-local before 0.8 name no interface, so nobody can tell what became of it. */
function attachmentOf(owner: Owner): Attachment | undefined {
  if (owner.kind !== 'held' || owner.ifname === undefined) return undefined
  try {
    return {
      containerId: parseContainerId(owner.containerId, 'the container id'),
      ifname: parseIfName(owner.ifname, 'the interface name'),
    }
  } catch {
    return undefined
  }
}

function fileSuspect({ file, owner, mark }: HeldAddress): Suspect[] {
  if (attachmentOf(owner) !== undefined) return []
  return [{ kind: 'file', name: file, mark, problem: PROBLEMS[owner.kind] }]
}

const PROBLEMS: Readonly<Record<Owner['kind'], string>> = {
  held: 'it names a container without a usable interface name',
  empty: 'it is empty',
  damaged: 'it is damaged or cannot be read',
}

/** When each suspect was first seen, by its name, in milliseconds of a clock that only goes forward. */
export type Sightings = ReadonlyMap<string, { readonly mark: string; readonly since: number }>

/** Notes what is suspect now. Whatever is not, or has changed hands, is forgotten. */
export function note(before: Sightings, suspects: readonly Suspect[], now: number): Sightings {
  return new Map(
    suspects.map(({ name, mark }) => {
      const seen = before.get(name)
      return [name, { mark, since: seen?.mark === mark ? seen.since : now }]
    }),
  )
}

/** The suspects that have been that for the whole of a grace period. One that is seen for the first time never is. */
export function staleAmong<T extends Suspect>(
  before: Sightings,
  suspects: readonly T[],
  now: number,
  grace: number,
): T[] {
  return suspects.filter(({ name, mark }) => {
    const seen = before.get(name)
    return seen?.mark === mark && now - seen.since >= grace
  })
}
