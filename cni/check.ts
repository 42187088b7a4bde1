import { checkAddresses } from './addresses.ts'
import { compare } from './core/compare.ts'
import { parsePluginConfig, type PluginConfig } from './core/config.ts'
import { parseMac } from './core/mac.ts'
import { attachmentIfb, hostVethName } from './core/names.ts'
import { ownerOf } from './core/table.ts'
import { UNSET } from './core/netlink/settings.ts'
import { plan } from './core/plan/plan.ts'
import { gatewayInterface } from './core/plan/bridge.ts'
import { Netlink } from './edge/netlink.ts'
import { Netns } from './edge/netns.ts'
import { observe } from './edge/observe.ts'
import { Site } from './edge/site.ts'
import { CniError } from './spec/error.ts'
import type { AttachmentCall } from './spec/plugin.ts'
import { parsePrevResult } from './spec/result-parse.ts'
import type { Result } from './spec/result.ts'

/** CHECK: plans the attachment again from prevResult and compares the plan with the kernel and the address store. */
export async function check(call: AttachmentCall): Promise<void> {
  const own = ownPart(call, requirePrevResult(call))
  const config = ownConfig(call, own)
  using netns = Netns.open(call.netns, call.env.ownNetnsAllowed)
  using host = new Site()
  using container = new Site(netns.run(() => new Netlink()))
  // As if there were no bridge yet: then the plan has all that CHECK compares.
  const node = { hasBridge: false, settings: UNSET, hasVlanInterface: true, mtu: 0 }
  const steps = plan({ config, network: call.config.name, attachment: call.attachment, result: own, node })
  const names = {
    host: [
      config.bridge,
      ...(config.isGateway ? [gatewayInterface(config)] : []),
      hostVethName(call.attachment),
      ...(config.bandwidth.egress === undefined ? [] : [attachmentIfb(call.attachment).name]),
    ],
    container: [call.attachment.ifname],
  }
  const [difference] = compare(
    steps,
    observe({ host, container, netns }, ownerOf(call.config.name, call.attachment), steps, names),
  )
  if (difference !== undefined) throw differs(call, difference)
  if (config.ipam !== undefined) await checkAddresses(call, config.ipam)
}

function requirePrevResult({ config }: AttachmentCall): Result {
  const prevResult = parsePrevResult(config)
  if (prevResult !== undefined) return prevResult
  throw new CniError(
    'invalid-config',
    'Required prevResult missing: CHECK needs the result of the ADD in "prevResult"',
  )
}

const isOwn =
  ({ netns, attachment }: AttachmentCall) =>
  (link: { name: string; sandbox?: string } | undefined): boolean =>
    link?.name === attachment.ifname && link.sandbox === netns

/** The part of a chain's result that is this attachment's: others may have added interfaces and addresses. */
function ownPart(call: AttachmentCall, result: Result): Result {
  const ips = result.ips.filter(
    ip => ip.interface === undefined || isOwn(call)(result.interfaces[ip.interface]),
  )
  return { ...result, ips }
}

/** The config with the MAC that the result names: a later plugin may have changed it and said so. */
function ownConfig(call: AttachmentCall, result: Result): PluginConfig {
  const config = parsePluginConfig(call.config, call.env.args)
  const link = result.interfaces.find(isOwn(call))
  if (link === undefined && result.interfaces.length > 0) {
    throw differs(call, `prevResult names no interface "${call.attachment.ifname}" in ${call.netns}`)
  }
  return { ...config, mac: parseMac(link?.mac ?? '') ?? config.mac }
}

const differs = ({ attachment }: AttachmentCall, difference: string): CniError =>
  new CniError(
    'check-failed',
    `Cannot confirm "${attachment.ifname}" of container ${attachment.containerId}: ${difference}; make the container anew`,
  )
