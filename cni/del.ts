import { releaseAddresses } from './addresses.ts'
import { hasRules } from './core/config.ts'
import { hostVethName, networkOfAlias, networkTag } from './core/names.ts'
import type { Owner } from './core/table.ts'
import { isErrno } from './edge/netlink.ts'
import { removeRulesOf } from './edge/nft.ts'
import { Site } from './edge/site.ts'
import type { IfName } from './spec/environment.ts'
import { CniError, collect, joinErrors, messageOf } from './spec/error.ts'
import type { DelCall } from './spec/plugin.ts'

/**
 * DEL: rules, link, addresses. All three are found by the attachment's name, so nothing else is needed: not the
 * namespace, not the earlier result. The addresses go last and only when the link is gone, because an address that is
 * free while somebody still answers to it would soon have two owners.
 */
export async function del(call: DelCall): Promise<void> {
  const { keys, name: network } = call.config
  const veth = hostVethName(call.attachment)
  const owner = { network: networkTag(network), veth }
  const failures = await collect([
    async () => {
      if (hasRules(call.config)) await removeRulesOf(call.world, owner)
    },
  ])
  const failuresOfLink = await collect([() => removeLink(call, owner)])
  const type = keys.object('ipam').string('type') || undefined
  if (failuresOfLink.length === 0 && type !== undefined)
    failures.push(...(await collect([() => releaseAddresses(call, type)])))
  const failure = joinErrors([...failures, ...failuresOfLink])
  if (failure !== undefined) throw failure
}

async function removeLink({ trace, world }: DelCall, { network, veth }: Owner): Promise<void> {
  if (!isOwn(network, veth)) return
  try {
    await world.removeLink(veth)
    trace.step(`ip link del ${veth}`)
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return
    throw new CniError('netlink', `Cannot delete the host veth "${veth}": ${messageOf(error)}; DEL again`, {
      cause: error,
    })
  }
}

/** The same container and interface name in another network: its link, and not ours to remove. */
function isOwn(network: string, veth: IfName): boolean {
  using host = new Site()
  return (networkOfAlias(host.link(veth)?.alias) ?? network) === network
}
