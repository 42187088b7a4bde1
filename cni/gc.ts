import { addressHolders, collectAddresses } from './addresses.ts'
import { hostVethName, ifbName, networkOfAlias, networkTag } from './core/names.ts'
import type { Link } from './core/netlink/link.ts'
import { attachmentId, isIdOf } from './core/pod.ts'
import { isErrno } from './edge/netlink.ts'
import { rememberedPods } from './edge/policies.ts'
import { Site } from './edge/site.ts'
import { removeOwned } from './edge/table.ts'
import type { Attachment } from './spec/environment.ts'
import { collect, joinErrors } from './spec/error.ts'
import type { GcCall } from './spec/plugin.ts'

/**
 * GC: removes every attachment of this network that the runtime does not list. Links carry their network in the alias,
 * rules in the comment, pods in their ids, addresses in the store's folder: other networks are never looked at twice.
 */
export async function gc(call: GcCall): Promise<void> {
  const { valid } = call
  if (valid === undefined) return
  const network = networkTag(call.config.name)
  const keep = new Set<string>(valid.flatMap(linkNames))
  const type = call.config.keys.object('ipam').string('type') || undefined
  const failures = await collect([
    async () => removeOwned(({ owner }) => owner.network === network && !keep.has(owner.veth)),
    () => removeLinks(call, keep, link => networkOfAlias(link.alias) === network),
    async () => {
      if (type !== undefined) await removeLinks(call, keep, halfMade(call, type))
    },
  ])
  // As in DEL: no address is free while a link may still answer to it.
  if (failures.length === 0) failures.push(...(await collect([() => detachStale(call, valid)])))
  if (failures.length === 0 && type !== undefined) {
    failures.push(...(await collect([() => collectAddresses(call, type)])))
  }
  const failure = joinErrors(failures)
  if (failure !== undefined) throw failure
}

/** Lets go of the policies of those pods that are remembered as attachments of this network, and are none any more. */
async function detachStale({ world, config, trace }: GcCall, valid: readonly Attachment[]): Promise<void> {
  const keep = new Set(valid.map(attachment => attachmentId(config.name, attachment)))
  const stale = rememberedPods(world.stderr).filter(({ id }) => isIdOf(config.name, id) && !keep.has(id))
  for (const { id, namespace, name } of stale) {
    await world.policies.detach(id)
    trace.step(`# policies let go of pod ${namespace}/${name}`)
  }
}

/** What an attachment's links on the node are called; most have no ifb device. */
function linkNames(attachment: Parameters<typeof hostVethName>[0]): string[] {
  const veth = hostVethName(attachment)
  return [veth, ifbName(veth)]
}

/** A call that died between making a link and labelling it: it held an address already, so the store knows it. */
function halfMade(call: GcCall, type: string): (link: Link) => boolean {
  const names = new Set<string>(addressHolders(call, type).flatMap(linkNames))
  return link => link.alias === undefined && names.has(link.name)
}

/** Removes the links that are ours and not to be kept; one that resists does not save the others. */
async function removeLinks(
  call: GcCall,
  keep: ReadonlySet<string>,
  isOurs: (link: Link) => boolean,
): Promise<void> {
  const stale = linksOfNode().filter(link => isOurs(link) && !keep.has(link.name))
  const failures = await collect(
    stale.map(
      ({ name }) =>
        () =>
          removeLink(call, name),
    ),
  )
  const failure = joinErrors(failures)
  if (failure !== undefined) throw failure
}

function linksOfNode(): Link[] {
  using host = new Site()
  return host.links()
}

async function removeLink({ world, trace }: GcCall, name: string): Promise<void> {
  try {
    await world.removeLink(name)
    trace.step(`ip link del ${name}`)
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error
  }
}
