import { hostPortChains, hostPortElements, hostPortScript, publishedAddresses } from '../host-ports.ts'
import { masqueradeChains, masqueradeElements, masqueradeScript } from '../masquerade.ts'
import { containerMac } from '../names.ts'
import { spoofCheckScript } from '../spoof-check.ts'
import { type RulesStep, type Step, sysctl } from '../step.ts'
import { type Owner, ownerOf } from '../table.ts'
import { gatewayInterface } from './bridge.ts'
import type { Wish } from './wish.ts'

/** The table's rules for this attachment. */
export function rulesSteps(wish: Wish): Step[] {
  const { config, network, attachment, result } = wish
  const owner = ownerOf(network, attachment)
  const addresses = result.ips.map(ip => ip.address)
  const spoofCheck: RulesStep = {
    kind: 'rules',
    purpose: 'spoof-check',
    owner,
    chains: [],
    script: spoofCheckScript(owner, containerMac(config.mac, attachment)),
    elements: [],
  }
  const masquerade: RulesStep = {
    kind: 'rules',
    purpose: 'masquerade',
    owner,
    chains: masqueradeChains(addresses),
    script: masqueradeScript(addresses),
    elements: masqueradeElements(owner, addresses),
  }
  return [
    ...(config.macSpoofCheck ? [spoofCheck] : []),
    ...(config.ipMasq && addresses.length > 0 ? [masquerade] : []),
    ...hostPortSteps(wish, owner),
  ]
}

/** What leads the node's ports to the container. */
function hostPortSteps({ config, result }: Wish, owner: Owner): Step[] {
  const addresses = result.ips.map(ip => ip.address)
  const publication = { addresses, mode: config.mode, mappings: config.portMappings }
  const published = publishedAddresses(publication)
  if (published.length === 0) return []
  const isForV4 = published.some(({ ip }) => ip.family.version === 4)
  return [
    {
      kind: 'rules',
      purpose: 'port-mappings',
      owner,
      chains: hostPortChains(publication),
      script: hostPortScript(publication),
      elements: hostPortElements(owner, publication),
    },
    // So that the node's own programs reach a port at 127.0.0.1; the rules keep everybody else from there.
    ...(isForV4 && config.isGateway
      ? [sysctl('host', `net/ipv4/conf/${gatewayInterface(config)}/route_localnet`, '1', false)]
      : []),
  ]
}
