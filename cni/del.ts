import { releaseAddresses } from './addresses.ts'
import { ifbName, networkOfAlias } from './core/names.ts'
import { attachmentId } from './core/pod.ts'
import { type Owner, ownerOf } from './core/table.ts'
import { isErrno } from './edge/netlink.ts'
import { Site } from './edge/site.ts'
import { removeRulesOf } from './edge/table.ts'
import type { NetworkName } from './spec/config.ts'
import type { IfName } from './spec/environment.ts'
import { CniError, collect, joinErrors, messageOf } from './spec/error.ts'
import type { DelCall } from './spec/plugin.ts'

/**
 * DEL: rules, links, policies, neighbours, addresses. All are found by the attachment's name, so nothing else is
 * needed: not the namespace, not the earlier result. Policies hold as long as there are links. The addresses go last and
 * only when all else is gone, the node's neighbour entries included: an address that is free while somebody still
 * answers to it would soon have two owners.
 */
export async function del(call: DelCall): Promise<void> {
  const { keys, name: network } = call.config
  const owner = ownerOf(network, call.attachment)
  const failures = await collect([async () => removeRulesOf(owner)])
  const failuresOfLinks = await removeLinks(call, owner)
  const type = keys.object('ipam').string('type') || undefined
  if (failuresOfLinks.length === 0) failures.push(...(await collect([() => release(call, network, type)])))
  const failure = joinErrors([...failures, ...failuresOfLinks])
  if (failure !== undefined) throw failure
}

/** Gives up what only somebody needs who has links. */
async function release(call: DelCall, network: NetworkName, type: string | undefined): Promise<void> {
  await call.world.policies.detach(attachmentId(network, call.attachment))
  if (type !== undefined) await releaseAddresses(call, type)
}

/** Removes them at the same time, since each takes the kernel long; answers what went wrong. */
async function removeLinks(call: DelCall, owner: Owner): Promise<unknown[]> {
  const removals = ownLinks(owner).map(name => collect([() => removeLink(call, name)]))
  return (await Promise.all(removals)).flat()
}

async function removeLink({ trace, world }: DelCall, name: IfName): Promise<void> {
  try {
    await world.removeLink(name)
    trace.step(`ip link del ${name}`)
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return
    throw new CniError('netlink', `Cannot delete the link "${name}": ${messageOf(error)}; DEL again`, {
      cause: error,
    })
  }
}

/**
 * The host veth, and the ifb device of a limited egress. Those of the same container and interface name in another
 * network are its links, and not ours to remove.
 */
function ownLinks({ network, veth }: Owner): IfName[] {
  using host = new Site()
  return [veth, ifbName(veth)].filter(name => {
    const link = host.link(name)
    return link !== undefined && (networkOfAlias(link.alias) ?? network) === network
  })
}
