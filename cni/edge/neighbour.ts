import { formatIp, type Ip } from '../../ipam/core/ip.ts'
import { introducedBy, introducedOn } from '../core/introduced.ts'
import { delNeighbour, replaceNeighbour } from '../core/netlink/neighbour.ts'
import type { IfName } from '../spec/environment.ts'
import { CniError, messageOf } from '../spec/error.ts'
import type { Call, DelCall } from '../spec/plugin.ts'
import { isErrno } from './netlink.ts'
import { Site } from './site.ts'

/**
 * Forgets the packets that wait on a bridge for somebody to answer to these addresses: `ip neighbour del IP dev
 * BRIDGE`. They have passed all rules already, and would be delivered to whoever comes. Answers which addresses the
 * kernel knew.
 */
export function forgetWaiting(host: Site, bridge: IfName, addresses: readonly Ip[]): Ip[] {
  const index = host.link(bridge)?.index
  return index === undefined ? [] : addresses.filter(ip => forgetOne(host, index, ip))
}

function forgetOne({ netlink }: Site, index: number, ip: Ip): boolean {
  try {
    netlink.request(delNeighbour(index, ip))
    return true
  } catch (error) {
    // ENODEV: somebody has deleted the bridge since.
    if (isErrno(error, 'ENOENT', 'ENODEV')) return false
    throw error
  }
}

/**
 * Does what makes the kernel forget all neighbours on a link: its last address of a family goes, or it is told its MAC, if
 * only the one that it has. Then tells it anew of those that it knew for good.
 */
export function keepingNeighbours<T>(site: Site, index: number, change: () => T): T {
  const known = site.neighbours(index).filter(({ isPermanent }) => isPermanent)
  try {
    return change()
  } finally {
    for (const { ip, mac } of known) site.netlink.request(replaceNeighbour(index, ip, mac))
  }
}

/** The node forgets whose these addresses are, if it knows: its kernel would for ever. Throws `netlink`. */
export function forgetAddresses(call: Call, addresses: readonly Ip[]): void {
  const name = introducedOn(call.config)
  if (name === undefined || addresses.length === 0) return
  using host = new Site()
  forget(call, host, name, addresses)
}

/**
 * The same, of an attachment whose addresses another plugin knows. They are found by the container's MAC, not in
 * prevResult: not every runtime sends one, and when a DEL is repeated, what it lists may be somebody else's by then.
 */
export function forgetContainer(call: DelCall): void {
  const [name, mac] = [introducedOn(call.config), introducedBy(call.config, call.env.args, call.attachment)]
  if (name === undefined || mac === undefined) return
  using host = new Site()
  const index = host.link(name)?.index
  if (index === undefined) return
  const own = host.neighbours(index).filter(neighbour => neighbour.isPermanent && neighbour.mac === mac)
  const addresses = own.map(({ ip }) => ip)
  forget(call, host, name, addresses)
}

function forget({ trace }: Call, host: Site, name: IfName, addresses: readonly Ip[]): void {
  try {
    for (const ip of forgetWaiting(host, name, addresses))
      trace.step(`ip neighbour del ${formatIp(ip)} dev ${name}`)
  } catch (cause) {
    throw new CniError(
      'netlink',
      `Cannot remove the neighbours ${addresses.map(formatIp).join(' and ')} of "${name}": ${messageOf(cause)}; try again`,
      { cause },
    )
  }
}
