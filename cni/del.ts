import { releaseAddresses } from './addresses.ts'
import { ifbName, networkOfAlias } from './core/names.ts'
import { type Owner, ownerOf } from './core/table.ts'
import { isErrno } from './edge/netlink.ts'
import { Site } from './edge/site.ts'
import { removeRulesOf } from './edge/table.ts'
import type { IfName } from './spec/environment.ts'
import { CniError, collect, joinErrors, messageOf } from './spec/error.ts'
import type { DelCall } from './spec/plugin.ts'

/**
 * DEL: rules, links, addresses. All are found by the attachment's name, so nothing else is needed: not the namespace,
 * not the earlier result. The addresses go last and only when the links are gone, because an address that is
 * free while somebody still answers to it would soon have two owners.
 */
export async function del(call: DelCall): Promise<void> {
  const { keys, name: network } = call.config
  const owner = ownerOf(network, call.attachment)
  const failures = await collect([async () => removeRulesOf(owner)])
  const failuresOfLinks = await removeLinks(call, owner)
  const type = keys.object('ipam').string('type') || undefined
  if (failuresOfLinks.length === 0 && type !== undefined)
    failures.push(...(await collect([() => releaseAddresses(call, type)])))
  const failure = joinErrors([...failures, ...failuresOfLinks])
  if (failure !== undefined) throw failure
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
