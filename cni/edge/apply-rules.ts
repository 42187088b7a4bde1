import { isHostPort, udpPortsOf } from '../core/host-ports.ts'
import { formatFields } from '../core/netlink/field.ts'
import type { RulesStep } from '../core/step.ts'
import {
  creation,
  emptiedOf,
  type OwnedElement,
  placeOf,
  removal,
  sameOwner,
  targetsOf,
} from '../core/table.ts'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import type { Undo } from './apply.ts'
import { forgetFlows } from './conntrack.ts'
import { isErrno } from './netlink.ts'
import { loadRules } from './nft.ts'
import type { Site } from './site.ts'
import { changeTable, countRules, listInPlaceOf, removeRulesOf, removeUnused } from './table.ts'

/** How often elements are tried to be put where others undo it meanwhile. */
const TRIES = 5

/** Puts an attachment's rules into the table; nft runs only when chains are missing, or the rules are its own. */
export async function applyRules(step: RulesStep, host: Site, world: World): Promise<Undo> {
  try {
    if (step.elements.length === 0 || !areFilled(step)) await loadRules(world, step.script)
    await putElements(step, host, world)
    forgetFlows(udpPortsOf(step.elements))
  } catch (error) {
    removeUnused(targetsOf(step.elements))
    throw error
  }
  return () => removeRulesOf(step.owner)
}

/** Whether the step's chains have their rules; where they cannot be counted, nft says better what is wrong. */
function areFilled({ chains }: RulesStep): boolean {
  try {
    return emptiedOf(chains, countRules(chains)) === undefined
  } catch {
    return false
  }
}

async function putElements(step: RulesStep, host: Site, world: World): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      // At the first try there is no former owner: nobody is looked for.
      const former = attempt === 1 ? [] : listInPlaceOf(step.elements)
      refuseTaken(former, step, host)
      return changeTable([...removal(former), ...creation(step.elements)])
    } catch (error) {
      if (attempt === TRIES || !isErrno(error, 'ENOENT', 'EEXIST')) throw error
      // The last DEL of a subnet takes its chain along.
      if (isErrno(error, 'ENOENT')) await loadRules(world, step.script)
    }
  }
}

/**
 * Refuses to take a port of the node from somebody who lives. What the dead have left is taken, and so are addresses:
 * whoever was given one has it.
 */
function refuseTaken(former: readonly OwnedElement[], step: RulesStep, host: Site): void {
  const holders = new Map(former.map(element => [placeOf(element), element.owner]))
  for (const element of step.elements.filter(isHostPort)) {
    const { key, owner: own } = element
    const owner = holders.get(placeOf(element)) ?? own
    const link = sameOwner(owner, own) ? undefined : host.link(owner.veth)
    if (link === undefined) continue
    throw new CniError(
      'port-taken',
      `Cannot map the port ${formatFields(key)} of the node: it leads to the container of ${owner.veth} (${link.alias ?? owner.network}); DEL that attachment, or choose another "hostPort"`,
    )
  }
}
