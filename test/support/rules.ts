import { hostPortChains, hostPortElements, hostPortScript } from '../../cni/core/host-ports.ts'
import { masqueradeChains, masqueradeElements, masqueradeScript } from '../../cni/core/masquerade.ts'
import { attachmentPair } from '../../cni/core/names.ts'
import { spoofCheckScript } from '../../cni/core/spoof-check.ts'
import type { PortMapping } from '../../cni/core/port-mapping.ts'
import type { RulesStep } from '../../cni/core/step.ts'
import { elementScript, type Owner, ownerOf } from '../../cni/core/table.ts'
import { cidr, ip } from './result.ts'
import { attachment, network } from './wish.ts'

/** An attachment's rules, for tests that know them by the container's id. */
export const owner = (containerId: string, name = 'pods'): Owner =>
  ownerOf(network({ name }).name, attachment(containerId, 'eth0'))

/** The masquerade of a container's addresses. */
export function masqueradeStep(containerId: string, ...addresses: readonly string[]): RulesStep {
  const cidrs = addresses.map(cidr)
  return {
    kind: 'rules',
    purpose: 'masquerade',
    owner: owner(containerId),
    chains: masqueradeChains(cidrs),
    script: masqueradeScript(cidrs),
    elements: masqueradeElements(owner(containerId), cidrs),
  }
}

/** Ports of the node that lead to a container's addresses. */
export function hostPortStep(
  containerId: string,
  mode: 'l2' | 'l3',
  mappings: readonly PortMapping[],
  ...addresses: readonly string[]
): RulesStep {
  const publication = { addresses: addresses.map(cidr), mode, mappings }
  return {
    kind: 'rules',
    purpose: 'port-mappings',
    owner: owner(containerId),
    chains: hostPortChains(publication),
    script: hostPortScript(publication),
    elements: hostPortElements(owner(containerId), publication),
  }
}

/** Of each map one. */
const MAPPINGS: readonly PortMapping[] = [
  { protocol: 'tcp', hostPort: 8080, containerPort: 80, hostIp: undefined },
  { protocol: 'udp', hostPort: 53, containerPort: 5353, hostIp: ip('192.0.2.1') },
  { protocol: 'sctp', hostPort: 99, containerPort: 99, hostIp: ip('2001:db8::1') },
]

/** The spoof check of a container's veth. */
export const spoofCheckStep = (containerId: string): RulesStep => ({
  kind: 'rules',
  purpose: 'spoof-check',
  owner: owner(containerId),
  chains: [],
  script: spoofCheckScript(owner(containerId), attachmentPair(attachment(containerId, 'eth0')).peerMac),
  elements: [],
})

/** The steps whose scripts are in test/golden, by file: the kernel has to load what the core has to generate. */
export const STEPS: Readonly<Record<string, RulesStep>> = {
  'rules-masquerade.nft': masqueradeStep('c1', '10.1.0.5/24', 'fd00::5/64'),
  'rules-spoof-check.nft': spoofCheckStep('c1'),
  'rules-ports-l2.nft': hostPortStep('c1', 'l2', MAPPINGS, '10.1.0.5/24', 'fd00::5/64'),
  'rules-ports-l3.nft': hostPortStep('c1', 'l3', MAPPINGS, '10.1.0.5/24', 'fd00::5/64'),
}

/** All that a step does, as a script. */
export const scriptOf = ({ script, elements }: RulesStep): string => script + elementScript(elements)
