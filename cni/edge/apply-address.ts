import { setTimeout as sleep } from 'node:timers/promises'
import { type Cidr, formatCidr, overlaps, sameIp } from '../../ipam/core/ip.ts'
import { addAddress, delAddress } from '../core/netlink/address.ts'
import type { AddressStep } from '../core/step.ts'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import { isUnused, keepMac } from './apply-bridge.ts'
import { keepingNeighbours } from './neighbour.ts'
import { isErrno } from './netlink.ts'
import type { Site } from './site.ts'

/** The kernel's detection takes one second with its defaults (net.ipv6.conf.*.dad_transmits, retrans_time). */
const SETTLE_MS = 5_000
const POLL_MS = 10

/**
 * Puts an address on an interface. On a bridge it replaces or refuses one that is in the way, left over from another
 * podCIDR most often; its undo brings that back, and takes the new one away unless others use the bridge.
 */
export function putAddress(step: AddressStep, site: Site): (() => void) | undefined {
  const index = site.index(step.name)
  if (step.place === 'container') {
    site.netlink.request(addAddress(index, step.cidr, step.dad))
    return undefined
  }
  return putGateway(step, site)
}

function putGateway(step: AddressStep, site: Site): (() => void) | undefined {
  const present = site.addresses(step.name).map(address => address.cidr)
  const inTheWay = present.filter(cidr => step.conflict !== 'keep' && isInTheWay(cidr, step))
  const [first] = inTheWay
  if (step.conflict === 'refuse' && first !== undefined) throw conflict(step, first)
  const isThere = present.some(cidr => sameCidr(cidr, step.cidr))
  if (isThere && first === undefined) return undefined
  const index = site.index(step.name)
  const putBack = (): void => inTheWay.forEach(cidr => site.netlink.request(addAddress(index, cidr, false)))
  const isNew = keepingNeighbours(site, index, () => {
    // Containers remember their gateway's MAC. First, so that whoever finds the address can rely on it.
    keepMac(site, step.name)
    for (const other of inTheWay) site.netlink.request(delAddress(index, other))
    return addUnlessThere(step, site, putBack)
  })
  return () =>
    keepingNeighbours(site, index, () => {
      if (isNew && (first !== undefined || isUnused(site, step.name)))
        site.netlink.request(delAddress(index, step.cidr))
      putBack()
    })
}

/** False when another ADD was first, or the address has been there all along. */
function addUnlessThere(step: AddressStep, site: Site, putBack: () => void): boolean {
  try {
    site.netlink.request(addAddress(site.index(step.name), step.cidr, step.dad))
    return true
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return false
    putBack()
    throw error
  }
}

function isInTheWay(other: Cidr, step: AddressStep): boolean {
  if (other.ip.family !== step.cidr.ip.family) return false
  if (step.siblings.some(sibling => sameIp(sibling.ip, other.ip) && sibling.prefix === other.prefix))
    return false
  return other.ip.family.version === 4 || overlaps(other, step.cidr)
}

const sameCidr = (a: Cidr, b: Cidr): boolean => sameIp(a.ip, b.ip) && a.prefix === b.prefix

const conflict = (step: AddressStep, other: Cidr): CniError =>
  new CniError(
    'bridge-conflict',
    `"${step.name}" already has an IP address different from ${formatCidr(step.cidr)}: ${formatCidr(other)}; set "forceAddress" to replace it, or remove it with "ip address del"`,
  )

/** Waits until no address of an interface is under duplicate address detection. */
export async function settle(site: Site, name: string, world: World): Promise<void> {
  const deadline = world.now() + SETTLE_MS
  for (;;) {
    const addresses = site.addresses(name)
    const duplicate = addresses.find(address => address.duplicate)
    if (duplicate !== undefined) {
      throw new CniError(
        'address-taken',
        `Cannot use ${formatCidr(duplicate.cidr)} on "${name}": another machine on the link has it; exclude it from the range`,
      )
    }
    if (!addresses.some(address => address.tentative)) return
    if (world.now() > deadline) {
      throw new CniError(
        'try-again',
        `Cannot finish duplicate address detection on "${name}" within ${SETTLE_MS / 1000} s; try again`,
      )
    }
    await sleep(POLL_MS)
  }
}
