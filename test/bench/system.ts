import type { LinkJob, ProgramsJob } from './batch.ts'
import type { Verb } from './names.ts'

/** What a network does besides joining pods. */
export type Wish = 'plain' | 'masquerade' | 'hostPort'

/** A network of one system; nobody else uses its bridge and its addresses. */
export interface Network {
  readonly name: string
  /** Its place among all networks of a stage, from 1 to 254: makes its addresses and ports its own. */
  readonly place: number
  readonly wish: Wish
  readonly mode?: 'l2' | 'l3'
  /** As in the conflist of a node: what pods of one bridge send each other goes through the node's own stack. */
  readonly portIsolation?: true
}

/** Who wires pods, with everything that a runtime must know to have it done. */
export interface System {
  readonly name: string
  /** Folder of the plugin that is called, and CNI_PATH of that call. */
  readonly folder: string
  /** Configs as a runtime makes them for an ADD: in order, without `prevResult`. */
  readonly chain: (network: Network, attachment: Attachment) => readonly PluginConfig[]
}

/** A plugin's config; `type` is the program. */
export type PluginConfig = Readonly<Record<string, unknown>> & { readonly type: string }

/** A container to wire, in a namespace of that name. */
export interface Attachment {
  readonly netns: string
  readonly slot: number
}

const PREFIX = 16
const subnetOf = ({ place }: Network): string => `10.${place}.0.0/${PREFIX}`

/** The port of the node that leads to an attachment: its own among all with a slot below 100. */
const hostPortOf = ({ place }: Network, { slot }: Attachment): number => 20_000 + 100 * place + slot

/** Where a network's addresses are kept. */
export const dataDirOf = ({ name }: Network): string => `/run/bench/${name}`

/** What plugins of both kinds are told alike. */
function pluginConfig(type: string, ipam: string, network: Network): PluginConfig {
  const { name, wish, mode, portIsolation } = network
  const addresses = { type: ipam, dataDir: dataDirOf(network), ranges: [[{ subnet: subnetOf(network) }]] }
  return {
    cniVersion: '1.0.0',
    name,
    type,
    ...(type === 'ptp' ? {} : { bridge: name, isGateway: true }),
    ...(wish === 'masquerade' ? { ipMasq: true } : {}),
    ...(mode === undefined ? {} : { mode }),
    ...(portIsolation === undefined ? {} : { portIsolation }),
    ipam: { ...addresses, routes: [{ dst: '0.0.0.0/0' }] },
  }
}

/** What a runtime adds to the config of a plugin that declares the capability. */
function portMappings(network: Network, attachment: Attachment): object {
  const mapping = { hostPort: hostPortOf(network, attachment), containerPort: 80, protocol: 'tcp' }
  const runtimeConfig = { portMappings: [mapping] }
  return { capabilities: { portMappings: true }, ...(network.wish === 'hostPort' ? { runtimeConfig } : {}) }
}

const portmap = (network: Network, attachment: Attachment): PluginConfig => ({
  cniVersion: '1.0.0',
  name: network.name,
  type: 'portmap',
  ...portMappings(network, attachment),
})

/** Podwire, called as the executable or by the launcher, whichever lies in the folder. */
export const podwire = (name: string, folder: string): System => ({
  name,
  folder,
  chain: (network, attachment) => [
    { ...pluginConfig('podwire', 'podwire-ipam', network), ...portMappings(network, attachment) },
  ],
})

/** The reference plugin `bridge`; with `portmap` only where there is a port to map. */
export const bridge = (folder: string): System => ({
  name: 'bridge',
  folder,
  chain: (network, attachment) => [
    pluginConfig('bridge', 'host-local', network),
    ...(network.wish === 'hostPort' ? [portmap(network, attachment)] : []),
  ],
})

/** The reference plugin `ptp` as kind configures it: `portmap` is always in the chain. */
export const ptp = (folder: string): System => ({
  name: 'ptp',
  folder,
  chain: (network, attachment) => [pluginConfig('ptp', 'host-local', network), portmap(network, attachment)],
})

/** An operation as a runtime carries it out: DEL goes through the chain backwards. */
export function callOf(system: System, network: Network, verb: Verb, attachment: Attachment): ProgramsJob {
  const { netns, slot } = attachment
  const chain = system.chain(network, attachment)
  return {
    kind: 'programs',
    slot,
    startsAnew: verb === 'ADD',
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: netns,
      CNI_NETNS: `/run/netns/${netns}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: system.folder,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    },
    programs: (verb === 'ADD' ? chain : chain.toReversed()).map(config => ({
      argv: [`${system.folder}/${config.type}`],
      input: JSON.stringify(config),
    })),
  }
}

/** The kernel's share of it: a link on the bridge of a network, with an address that the network does not hand out. */
export function linkOf(network: Network, verb: Verb, { netns, slot }: Attachment): LinkJob {
  const [address, gateway] = [`10.${network.place}.255.254`, gatewayOf(network)]
  const veth = `f${netns}`.slice(0, 15)
  const names = { veth, bridge: network.name, netns: `/run/netns/${netns}`, ifname: 'eth0' }
  return { kind: 'link', slot, verb, ...names, address, gateway, prefix: PREFIX }
}

/** The address of the bridge. */
export const gatewayOf = ({ place }: Network): string => `10.${place}.0.1`
