import { getAddresses } from './addresses.ts'
import { parsePluginConfig, type PluginConfig } from './core/config.ts'
import { completeGateways } from './core/gateway.ts'
import { refuseNarrow } from './core/mtu.ts'
import { attachmentPair, containerMac } from './core/names.ts'
import { gatewayInterface } from './core/plan/bridge.ts'
import { plan } from './core/plan/plan.ts'
import { attachedPod, attachmentId } from './core/pod.ts'
import { describe } from './core/describe.ts'
import { applyAll, quietly } from './edge/apply.ts'
import { forgetWaiting } from './edge/neighbour.ts'
import { Netlink } from './edge/netlink.ts'
import { Netns } from './edge/netns.ts'
import { observeNode } from './edge/observe.ts'
import { Site, type Sites } from './edge/site.ts'
import { refuseUnknownArgs } from './spec/environment.ts'
import { CniError } from './spec/error.ts'
import type { AttachmentCall } from './spec/plugin.ts'
import { EMPTY_RESULT, type Result } from './spec/result.ts'

/** The arguments in CNI_ARGS that this plugin or its address plugin acts on. */
const KNOWN_ARGS: ReadonlySet<string> = new Set(['MAC', 'IP'])

/**
 * ADD: looks, asks for addresses, plans, applies. Everything that can refuse the attachment without touching anything
 * comes first; from then on each success leaves its undo on a stack, which runs when a later step throws.
 */
export async function add(call: AttachmentCall): Promise<Result> {
  const config = parsePluginConfig(call.config, call.env.args)
  refuseUnknownArgs(call.env.args, KNOWN_ARGS)
  using netns = Netns.open(call.netns, call.env.ownNetnsAllowed)
  using host = new Site()
  using container = new Site(netns.run(() => new Netlink()))
  const sites = { host, container, netns }
  refuseExisting(call, sites)
  const node = observeNode(host, config)
  call.trace.step('# the namespace is one, the names are free')
  // Declared first, so that it ends last: an ADD is under way until all of its undoing is done.
  using ending = new DisposableStack()
  await using undo = new AsyncDisposableStack()
  const result = completeGateways(config, await askAddresses(call, config, undo, ending))
  refuseNarrow(config, node, result)
  await applyPolicies(call, config, result, host, undo)
  await applyAll(
    plan({ config, network: call.config.name, attachment: call.attachment, result, node }),
    sites,
    call,
    undo,
  )
  const answer = describe(call, config, result, { mtu: node.mtu, bridge: host.link(config.bridge) })
  undo.move()
  return answer
}

async function askAddresses(
  call: AttachmentCall,
  config: PluginConfig,
  undo: AsyncDisposableStack,
  ending: DisposableStack,
): Promise<Result> {
  if (config.ipam === undefined) return EMPTY_RESULT
  const result = await getAddresses(call, config.ipam, undo, ending)
  call.trace.step(`# addresses from ${config.ipam}`)
  return result
}

/** Before there is a link: a pod is never open, not even for a moment. */
async function applyPolicies(
  call: AttachmentCall,
  config: PluginConfig,
  result: Result,
  host: Site,
  undo: AsyncDisposableStack,
): Promise<void> {
  const id = attachmentId(call.config.name, call.attachment)
  const addresses = result.ips.map(({ address }) => address.ip)
  // A port of mode l2 takes any MAC.
  const mac = config.mode === 'l3' ? containerMac(config.mac, call.attachment) : undefined
  const pod = attachedPod(call.env.args, id, addresses, mac)
  if (pod === undefined) return
  const { policies } = call.world
  // Registered first: what fails half-way is to be undone too.
  undo.defer(() => quietly(call, () => policies.detach(id)))
  await policies.attach(pod)
  forgetWaiting(host, gatewayInterface(config), addresses)
  call.trace.step(`# policies know of pod ${pod.namespace}/${pod.name}`)
}

/** Refuses an interface name that the container has, and an attachment that is there already. */
function refuseExisting({ attachment, netns }: AttachmentCall, { host, container }: Sites): void {
  if (container.link(attachment.ifname) !== undefined) {
    throw new CniError(
      'interface-exists',
      `Cannot add "${attachment.ifname}" to ${netns}: the container has an interface of this name already; DEL its attachment first`,
    )
  }
  const { name } = attachmentPair(attachment)
  if (host.link(name) === undefined) return
  throw new CniError(
    'attachment-exists',
    `Cannot add "${attachment.ifname}" to container ${attachment.containerId}: its host veth "${name}" is there already; DEL the attachment first`,
  )
}
