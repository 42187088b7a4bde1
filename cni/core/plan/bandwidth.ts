import type { IfName } from '../../spec/environment.ts'
import { type Bandwidth, tokenBucket } from '../bandwidth.ts'
import { aliasOf, attachmentIfb, hostVethName } from '../names.ts'
import { type IfbStep, type Step, sysctl } from '../step.ts'
import type { Wish } from './wish.ts'

/** Limits what goes to the container and what comes from it. */
export const bandwidthSteps = ({ config, network, attachment, node }: Wish): Step[] =>
  limitSteps(config.bandwidth, hostVethName(attachment), {
    kind: 'ifb',
    ...attachmentIfb(attachment),
    mtu: config.mtu ?? node.mtu,
    alias: aliasOf(network, attachment),
  })

/**
 * Limits what an interface sends (the container's ingress) and what comes in through it (its egress). The kernel shapes
 * only what leaves an interface, so what comes in is sent through an ifb device.
 */
export function limitSteps({ ingress, egress }: Bandwidth, name: IfName, ifb: IfbStep): Step[] {
  return [
    ...(ingress === undefined
      ? []
      : [{ kind: 'shape', name, bucket: tokenBucket(ingress, ifb.mtu) } as const]),
    ...(egress === undefined
      ? []
      : [
          ifb,
          // As the port, it speaks no IPv6 itself.
          sysctl('host', `net/ipv6/conf/${ifb.name}/disable_ipv6`, '1', true),
          { kind: 'up', place: 'host', name: ifb.name, promisc: false } as const,
          { kind: 'shape', name: ifb.name, bucket: tokenBucket(egress, ifb.mtu) } as const,
          { kind: 'redirect', name, ifb: ifb.name } as const,
        ]),
  ]
}
