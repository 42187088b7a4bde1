import { parseCidr } from '../../ipam/core/ip.ts'
import type { PluginConfig } from '../core/config.ts'
import { explain } from '../core/failure.ts'
import { attachmentIfb, vlanPair } from '../core/names.ts'
import { addBridge, addVeth } from '../core/netlink/link.ts'
import { limitSteps } from '../core/plan/bandwidth.ts'
import type { Node } from '../core/plan/wish.ts'
import { masqueradeScript } from '../core/masquerade.ts'
import type { Step } from '../core/step.ts'
import type { IfName } from '../spec/environment.ts'
import { CniError } from '../spec/error.ts'
import type { World } from '../spec/world.ts'
import { limit } from './apply-bandwidth.ts'
import { NetlinkError } from './netlink.ts'
import { inScratchNetns } from './netns.ts'
import { loadRules } from './nft.ts'
import { Site } from './site.ts'

/** Tries what an ADD would need, where it leaves no trace: links in a namespace of their own, rules with `nft -c`. */
export async function probeKernel(
  world: World,
  config: PluginConfig,
  node: Node,
  withRules: boolean,
): Promise<void> {
  const needsVlans = config.vlan !== undefined || config.trunk.length > 0
  // A bridge that is there proves itself; a kernel asks for no proof twice.
  if (!node.hasBridge || needsVlans) inScratchNetns(() => probeLinks(config, needsVlans))
  if (config.bandwidth.ingress !== undefined || config.bandwidth.egress !== undefined)
    inScratchNetns(() => probeBandwidth(config))
  if (withRules) await probeRules(world)
}

function probeLinks(config: PluginConfig, vlanFiltering: boolean): void {
  const { name, mac, peerMac } = vlanPair(config.bridge)
  const peer = { name: 'peer' as IfName, mac: peerMac, place: 'host' as const }
  using site = new Site()
  attempt({ kind: 'bridge', name: config.bridge, mtu: undefined, vlanFiltering }, () => {
    site.netlink.request(addBridge(config.bridge, undefined, vlanFiltering))
  })
  attempt({ kind: 'veth', name, mac, peer, mtu: 1500, bridge: config.bridge }, () => {
    site.netlink.request(addVeth({ name, mac }, peer, 1500, site.index(config.bridge), undefined))
  })
}

/** A config that limits every container itself; what one pod may ask for later is no reason to have no pod at all. */
function probeBandwidth({ bandwidth }: PluginConfig): void {
  const ifb = {
    kind: 'ifb',
    ...attachmentIfb({ containerId: '', ifname: '' }),
    mtu: 1500,
    alias: '',
  } as const
  using site = new Site()
  for (const step of limitSteps(bandwidth, 'lo' as IfName, ifb)) {
    if (step.kind === 'ifb' || step.kind === 'shape' || step.kind === 'redirect')
      attempt(step, () => limit(step, site))
  }
}

function attempt(step: Step, action: () => void): void {
  try {
    action()
  } catch (error) {
    throw error instanceof NetlinkError ? explain(step, error.errno, error.message, error) : error
  }
}

async function probeRules(world: World): Promise<void> {
  const address = parseCidr('192.0.2.1/24')
  try {
    await loadRules(world, masqueradeScript(address === undefined ? [] : [address]), {
      checkOnly: true,
    })
  } catch (cause) {
    if (cause instanceof CniError && cause.kind !== 'nft') throw cause
    throw new CniError(
      'kernel-feature-missing',
      'Cannot use nftables for "ipMasq" or "macspoofchk": the kernel or nft refuses the rules; load nf_tables and nft_masq',
      { cause },
    )
  }
}
