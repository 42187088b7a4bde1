import type { Test } from 'tap'
import { Talker } from '../daemon/talker.ts'
import { type Config, Lab, type Pod } from './lab.ts'
import { FAMILIES, outside } from './outside.ts'

/** The port that a talker listens at. */
export const TALKERS = 7000
export const IPAM = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }

/** A port of the node, and what else a runtime says of it. */
export type Mapping = Readonly<Record<string, unknown>>

/** TCP and UDP of one port of the node. */
export const both = (hostPort: number, more: Mapping = {}): Mapping[] =>
  ['tcp', 'UDP'].map(protocol => ({ hostPort, containerPort: TALKERS, protocol, ...more }))

/** A config as the runtime sends it with these mappings. */
export const withPorts = (lab: Lab, portMappings: unknown, keys: Config = {}): Config =>
  lab.config({ ...keys, runtimeConfig: { portMappings } }, IPAM)

/** Which settings of the node change the way of a packet that the bridge sees. */
export const BRIDGES: Readonly<Record<string, string>> = {
  'with br_netfilter': '1',
  'without br_netfilter': '0',
}

/** Whether this kernel has br_netfilter at all; without, nothing can be switched. */
export async function switchFilter(lab: Lab, value: string): Promise<boolean> {
  const settings = ['iptables', 'ip6tables'].map(name => `net.bridge.bridge-nf-call-${name}=${value}`)
  return lab.inside(lab.host, 'sysctl', '-qw', ...settings).then(
    () => true,
    () => false,
  )
}

/** A node with a machine next to it, and talkers on both. */
export class Stage {
  readonly lab: Lab
  readonly node: Talker
  readonly outside: Talker
  readonly #t: Test

  private constructor(t: Test, lab: Lab, node: Talker, out: Talker) {
    this.#t = t
    this.lab = lab
    this.node = node
    this.outside = out
  }

  static async set(t: Test): Promise<Stage> {
    const lab = new Lab(t)
    const name = await outside(lab)
    return new Stage(t, lab, await Talker.start(t, lab, lab.host), await Talker.start(t, lab, name))
  }

  /** A pod with ports of the node, and the talker that they lead to; it is called after its container. */
  async pod(config: Config): Promise<Pod & { readonly talker: Talker }> {
    const pod = await this.lab.attach(config)
    return { ...pod, talker: await Talker.start(this.#t, this.lab, pod.netns, pod.id) }
  }
}

/** What a talker hears of the one at a port of the node: `NAME ADDRESS`, the address as that one sees it. */
export const heard = (talker: Talker, to: string, port: number): Promise<string[]> =>
  Promise.all((['tcp', 'udp'] as const).map(protocol => talker.askAt(protocol, to, { port })))

export { FAMILIES }
