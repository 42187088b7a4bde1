import type { Ip } from '../../../ipam/core/ip.ts'
import { attachmentPair, networkTag } from '../names.ts'
import {
  masqueradeAgainScript,
  masqueradeChains,
  masqueradeScript,
  type Owner,
  spoofCheckScript,
} from '../table.ts'
import type { Step } from '../step.ts'
import type { Wish } from './wish.ts'

/** The table's rules for this attachment. */
export function rulesSteps({ config, network, attachment, result }: Wish): Step[] {
  const pair = attachmentPair(attachment)
  const owner: Owner = { network: networkTag(network), veth: pair.name }
  const mac = config.mac ?? pair.peerMac
  const cidrs = result.ips.map(ip => ip.address)
  const addresses: Ip[] = cidrs.map(cidr => cidr.ip)
  return [
    ...(config.macSpoofCheck
      ? [
          {
            kind: 'rules',
            purpose: 'spoof-check',
            owner,
            addresses: [],
            chains: [],
            scripts: [spoofCheckScript(owner, mac)],
          } as const,
        ]
      : []),
    ...(config.ipMasq && cidrs.length > 0
      ? [
          {
            kind: 'rules',
            purpose: 'masquerade',
            owner,
            addresses,
            chains: masqueradeChains(cidrs),
            scripts: [masqueradeAgainScript(owner, cidrs), masqueradeScript(owner, cidrs)],
          } as const,
        ]
      : []),
  ]
}
