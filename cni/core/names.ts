import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import type { NetworkName } from '../spec/config.ts'
import type { Attachment, IfName } from '../spec/environment.ts'
import { type Mac, macFromBytes } from './mac.ts'

/*
 * Everything that an attachment makes is named after it alone, never after state: so a DEL finds it all, even when
 * the namespace, the earlier result and the address store are gone.
 */

/** An attachment as somebody has written it down. */
type Named = Readonly<Record<keyof Attachment, string>>

const digest = (label: string): Uint8Array => sha256(new TextEncoder().encode(label))

const labelOf = ({ containerId, ifname }: Named): string => `${containerId}/${ifname}`

// Locally administered (bit 1) and unicast (bit 0), from bytes that the name does not show.
const macFrom = (bytes: Uint8Array): Mac => macFromBytes(bytes.with(0, (bytes[0]! & 0xfc) | 0x02))

/** The names of a veth pair, all from one label: they are known before the links exist. */
export interface PairNames {
  /** The bridge's end: `veth` and 11 hex digits. */
  readonly name: IfName
  readonly mac: Mac
  /** The other end's hardware address, unless somebody asks for one. */
  readonly peerMac: Mac
}

function pairNames(label: string): PairNames {
  const bytes = digest(label)
  return {
    name: `veth${bytesToHex(bytes).slice(0, 11)}` as IfName,
    mac: macFrom(bytes.slice(16, 22)),
    peerMac: macFrom(bytes.slice(8, 14)),
  }
}

/** The veth pair of an attachment. */
export const attachmentPair = (attachment: Named): PairNames => pairNames(labelOf(attachment))

/** The MAC of the container's interface: what is asked for, or one that is its own. */
export const containerMac = (asked: Mac | undefined, attachment: Named): Mac =>
  asked ?? attachmentPair(attachment).peerMac

/** The veth pair that joins a node to a VLAN of its bridge; no attachment's label starts with a slash. */
export const vlanPair = (vlanInterface: IfName): PairNames => pairNames(`/vlan/${vlanInterface}`)

/** The host end of the attachment's veth pair. */
export const hostVethName = (attachment: Named): IfName => attachmentPair(attachment).name

/** The ifb device of a host veth: `bwp` and the same digits. */
export const ifbName = (veth: string): IfName => veth.replace(/^veth/, 'bwp') as IfName

/** The ifb device that an attachment's egress goes through when it is limited. */
export function attachmentIfb(attachment: Named): { readonly name: IfName; readonly mac: Mac } {
  const bytes = digest(labelOf(attachment))
  return { name: ifbName(hostVethName(attachment)), mac: macFrom(bytes.slice(24, 30)) }
}

/** A network's name in the kernel's labels: itself, or its hash where a label would be too short for it. */
export function networkTag(network: NetworkName): string {
  return network.length <= 64 ? network : bytesToHex(sha256(new TextEncoder().encode(network))).slice(0, 40)
}

/** The alias of a host veth and its ifb device (`ip link show` prints it): whose link it is. The kernel keeps 255 bytes, NUL included. */
export function aliasOf(network: NetworkName, { containerId, ifname }: Attachment): string {
  return `podwire ${networkTag(network)} ${containerId.slice(0, 160)} ${ifname}`
}

/** The network tag in an alias that {@link aliasOf} made; undefined for any other alias. */
export function networkOfAlias(alias: string | undefined): string | undefined {
  return /^podwire (\S+) /.exec(alias ?? '')?.[1]
}
