import type { Cidr, Ip } from '../../ipam/core/ip.ts'
import type { IfName } from '../spec/environment.ts'
import type { Route } from '../spec/result.ts'
import type { TokenBucket } from './bandwidth.ts'
import type { Mac } from './mac.ts'
import type { VlanRange } from './netlink/port.ts'
import type { FilledChain, OwnedElement, Owner } from './table.ts'

/** Where a step happens: on the node, or inside the container's network namespace. */
export type Place = 'host' | 'container'

/**
 * One piece of work on the kernel, as data. `plan` returns them, `apply` carries them out and undoes them, CHECK
 * compares them with what it observes, `commandOf` prints each as the command that does the same.
 */
export type Step =
  /** The bridge exists; MTU and VLAN filtering count only when it is made now. */
  | {
      readonly kind: 'bridge'
      readonly name: IfName
      readonly mtu: number | undefined
      readonly vlanFiltering: boolean
    }
  | SysctlStep
  | { readonly kind: 'up'; readonly place: Place; readonly name: IfName; readonly promisc: boolean }
  | VethStep
  | PortStep
  | VlanStep
  /** The bridge knows by which port a MAC is, for good: whatever other port sends by it. */
  | { readonly kind: 'fdb'; readonly name: IfName; readonly mac: Mac }
  /** The port forwards frames from now on. */
  | { readonly kind: 'forward'; readonly name: IfName }
  | AddressStep
  | { readonly kind: 'route'; readonly name: IfName; readonly route: Route; readonly onLink: boolean }
  /** Neighbours learn whose the addresses are now: gratuitous ARP, unsolicited neighbour advertisement. */
  | { readonly kind: 'announce'; readonly name: IfName; readonly mac: Mac }
  /** The node knows whose an address is without asking, whatever anybody says, and forgets an earlier owner. */
  | { readonly kind: 'neighbour'; readonly name: IfName; readonly ip: Ip; readonly mac: Mac }
  /** Duplicate address detection is over. */
  | { readonly kind: 'settle'; readonly name: IfName }
  | RulesStep
  | IfbStep
  | ShapeStep
  | RedirectStep

/** A kernel setting, `key` as its path below /proc/sys. */
export interface SysctlStep {
  readonly kind: 'sysctl'
  readonly place: Place
  readonly key: string
  readonly value: string
  /** It only keeps IPv6 quiet: on a kernel without IPv6 there is nothing to set. */
  readonly optional: boolean
}

/** A veth pair: one end a port of the bridge, the other in the container. */
export interface VethStep {
  readonly kind: 'veth'
  readonly name: IfName
  readonly mac: Mac
  readonly peer: { readonly name: IfName; readonly mac: Mac; readonly place: Place }
  readonly mtu: number
  readonly bridge: IfName
}

/** What a bridge port does with frames, and whose it is. */
export interface PortStep {
  readonly kind: 'port'
  readonly name: IfName
  readonly hairpin: boolean
  readonly isolated: boolean
  /** Takes frames from no MAC but those that an `fdb` step says are there, and learns none. */
  readonly locked: boolean
  readonly alias: string
}

/** VLANs on a bridge port. */
export interface VlanStep {
  readonly kind: 'vlan'
  readonly action: 'add' | 'del'
  readonly name: IfName
  readonly range: VlanRange
}

/** An address on an interface. */
export interface AddressStep {
  readonly kind: 'address'
  readonly place: Place
  readonly name: IfName
  readonly cidr: Cidr
  /** Wait for duplicate address detection before it is usable. */
  readonly dad: boolean
  /** What to do when an address in the way stands there: one of IPv4, or of an overlapping IPv6 network. */
  readonly conflict: 'keep' | 'refuse' | 'replace'
  /** Addresses of the same wish: they are in nobody's way. */
  readonly siblings: readonly Cidr[]
}

/** Rules in table `inet podwire`. */
export interface RulesStep {
  readonly kind: 'rules'
  readonly purpose: 'masquerade' | 'spoof-check' | 'port-mappings'
  readonly owner: Owner
  /** Chains of the table that it depends on, with rules that belong to no container. */
  readonly chains: readonly FilledChain[]
  /** The nft script that makes these chains, whatever there is of the table; nothing to do when they are there. */
  readonly script: string
  /** What is the attachment's own beside rules of its own in the script. */
  readonly elements: readonly OwnedElement[]
}

/** An ifb device: what is redirected to it waits in its qdisc, then goes on from where it came in. */
export interface IfbStep {
  readonly kind: 'ifb'
  readonly name: IfName
  readonly mac: Mac
  readonly mtu: number
  readonly alias: string
}

/** What leaves through an interface is limited. */
export interface ShapeStep {
  readonly kind: 'shape'
  readonly name: IfName
  readonly bucket: TokenBucket
}

/** All that comes in through an interface goes through an ifb device first. */
export interface RedirectStep {
  readonly kind: 'redirect'
  readonly name: IfName
  readonly ifb: IfName
}

/** A setting as a step. */
export const sysctl = (
  place: SysctlStep['place'],
  key: string,
  value: string,
  optional: boolean,
): SysctlStep => ({
  kind: 'sysctl',
  place,
  key,
  value,
  optional,
})
