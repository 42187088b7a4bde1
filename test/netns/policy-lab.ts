import { closeSync, openSync } from 'node:fs'
import type { Test } from 'tap'
import { libc } from '../../cni/edge/libc.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'
import { difference } from '../../daemon/core/policy/difference.ts'
import { changePolicy, droppedPackets, loadPolicy } from '../../daemon/edge/policy-table.ts'
import { filterFrames, filtersBridged } from '../../daemon/edge/isolation.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { until } from '../conformance/until.ts'
import { fakeWorld } from '../support/world.ts'
import { Lab, type Pod } from './lab.ts'
import { nameOf, type RawPacket } from './packet.ts'
import { BRIDGES, switchFilter } from './port-stage.ts'
import { RawSocket } from './raw-socket.ts'

const CLONE_NEWNET = 0x40000000
/** Addresses of the node on the bridge, and on a link of its own; and who is next to it there. */
export const GATEWAY = ['10.1.0.254', 'fd00:1::ff'] as const
export const NODE = ['172.16.0.1', 'fd99::1'] as const
const NEXT = ['172.16.0.2', 'fd99::2'] as const
const SUBNETS = ['10.1.0.0/24', 'fd00:1::/64']
const IPAM = { ranges: SUBNETS.map((subnet, i) => [{ subnet, gateway: GATEWAY[i] }]) }

/** What became of packets. */
export interface Outcome {
  /** The names of those that came to their destination. */
  readonly arrived: ReadonlySet<string>
  /** Those dropped by policies, as `ingress ADDRESS`, each as often as it was counted. */
  readonly dropped: readonly string[]
}

/** Who is where. */
export interface Addresses {
  /** Of each pod of the node, first IPv4. */
  readonly pods: readonly (readonly string[])[]
  /** Of everybody who is neither a pod of the node nor the node. */
  readonly others: readonly string[]
}

/**
 * A node with pods that are wired as podwired has it, and beside it everybody else. The thread of the test is in the
 * node's namespace from then on, as the daemon is.
 */
export class PolicyLab {
  readonly lab: Lab
  readonly pods: Pod[] = []
  readonly #others: string
  readonly #sockets = new Map<string, RawSocket>()
  readonly #places = new Map<string, string>()
  #rules: RuleSet | undefined

  private constructor(t: Test, lab: Lab, others: string) {
    this.lab = lab
    this.#others = others
    t.teardown(() => {
      for (const socket of this.#sockets.values()) socket[Symbol.dispose]()
    })
  }

  /** A lab with these addresses; undefined when this kernel has no such setting, which the test then says. */
  static async start(t: Test, setting: string, { pods, others }: Addresses): Promise<PolicyLab | undefined> {
    const lab = new Lab(t)
    enter(lab.path(lab.host))
    const filter = BRIDGES[setting]!
    if (!(await switchFilter(lab, filter)) && filter === '1') {
      t.pass('this kernel has no br_netfilter')
      return undefined
    }
    const made = new PolicyLab(t, lab, lab.namespace('others'))
    for (const ips of pods) await made.#addPod(ips, filter === '0')
    await made.#addOthers(others)
    made.#settle(lab.host, [...NODE, ...GATEWAY])
    return made
  }

  /** From now on no kernel but the node's answers by itself, so that a test has both ends of its connections. */
  async mute(): Promise<void> {
    const hook = 'type filter hook prerouting priority raw;'
    const script = `add table inet mute
      add chain inet mute in { ${hook} }
      add rule inet mute in meta l4proto { tcp, udp, sctp } drop`
    for (const netns of this.#sockets.keys())
      if (netns !== this.lab.host) await this.lab.inside(netns, 'nft', script)
  }

  /** Where an address is: the name of a namespace. */
  placeOf(address: string): string | undefined {
    return this.#places.get(address)
  }

  /** Puts rules in force, as the daemon does. */
  async enforce(rules: RuleSet): Promise<void> {
    const { world } = fakeWorld({ env: process.env })
    if (this.#rules === undefined) {
      if (filtersBridged()) await filterFrames(world)
      await loadPolicy(world, rules)
    } else await changePolicy(world, rules, difference(this.#rules, rules))
    this.#rules = rules
  }

  /**
   * Sends packets from where their sources are, and waits until each has come to its destination or was dropped. They
   * arrive as `arriving`, where something translates addresses.
   */
  async send(packets: readonly RawPacket[], arriving = packets): Promise<Outcome> {
    const before = counters()
    const arrived = new Set<string>()
    const names = new Set(arriving.map(nameOf))
    for (const packet of packets) this.socketOf(formatIp(packet.source)).send(packet)
    const lost = await until(
      'packets to come or to be dropped',
      async () => {
        for (const name of this.receive()) if (names.has(name)) arrived.add(name)
        const dropped = since(before)
        return arrived.size + dropped.length >= packets.length && { dropped }
      },
      { pause: 1 },
    )
    return { arrived, ...lost }
  }

  /** Whether a packet comes to its destination; false when it is dropped. */
  async passes(packet: RawPacket, arriving = packet): Promise<boolean> {
    const { arrived } = await this.send([packet], [arriving])
    return arrived.size > 0
  }

  /** The names of packets that have come to where their destinations are, since the last time. */
  receive(): string[] {
    return [...this.#sockets].flatMap(([place, socket]) =>
      socket
        .receive()
        .filter(({ destination }) => this.#places.get(formatIp(destination)) === place)
        .map(nameOf),
    )
  }

  /** The packets that have come to a pod since the last time, whoever they are for. */
  receiveAt(pod: Pod): RawPacket[] {
    return this.#sockets.get(pod.netns)!.receive()
  }

  /** The socket where an address is. */
  socketOf(address: string): RawSocket {
    return this.#sockets.get(this.#places.get(address)!)!
  }

  async #addPod(ips: readonly string[], portIsolation: boolean): Promise<void> {
    const { lab } = this
    // Where the bridge takes packets to Services on, it is the bridge, too, that takes a pod's own back to it.
    const wish = { mode: 'l3', portIsolation, hairpinMode: !portIsolation, runtimeConfig: { ips } }
    const pod = await lab.attach(lab.config(wish, IPAM))
    this.pods.push(pod)
    this.#settle(pod.netns, ips)
    for (const gateway of GATEWAY) await lab.inside(pod.netns, 'ping', '-nqc1', '-W5', gateway)
  }

  async #addOthers(addresses: readonly string[]): Promise<void> {
    const [lab, others] = [this.lab, this.#others]
    const link = ['link', 'add', 'up0', 'type', 'veth', 'peer', 'eth0', 'netns', others]
    await lab.inside(lab.host, 'ip', ...link)
    for (const [netns, dev, ips] of [
      [lab.host, 'up0', NODE],
      [others, 'eth0', NEXT],
    ] as const) {
      // A node forwards nothing over a link whose link-local address is still under detection.
      await lab.inside(netns, 'sysctl', '-qw', `net.ipv6.conf.${dev}.accept_dad=0`)
      await lab.inside(netns, 'ip', 'link', 'set', dev, 'up')
      for (const ip of ips)
        await lab.inside(netns, 'ip', 'address', 'add', `${ip}/${bits(ip) - 8}`, 'dev', dev, 'nodad')
    }
    for (const node of NODE) await lab.inside(others, 'ip', 'route', 'add', 'default', 'via', node)
    for (const ip of addresses) {
      await lab.inside(others, 'ip', 'address', 'add', `${ip}/${bits(ip)}`, 'dev', 'lo', 'nodad')
      await lab.inside(lab.host, 'ip', 'route', 'add', ip, 'via', ip.includes(':') ? NEXT[1] : NEXT[0])
    }
    this.#settle(others, addresses)
  }

  #settle(netns: string, addresses: readonly string[]): void {
    this.#sockets.set(netns, new RawSocket(this.lab.path(netns)))
    for (const address of addresses) this.#places.set(address, netns)
  }
}

/** A test on a node whose bridge keeps pods apart, and on one where br_netfilter brings what is bridged to the rules. */
export function onBothNodes(
  t: Test,
  addresses: Addresses,
  body: (t: Test, lab: PolicyLab) => Promise<void>,
): void {
  for (const setting of Object.keys(BRIDGES))
    t.test(setting, async t => {
      const lab = await PolicyLab.start(t, setting, addresses)
      if (lab !== undefined) await body(t, lab)
    })
}

const bits = (ip: string): number => (ip.includes(':') ? 128 : 32)

/** Takes the thread into a namespace, for good; what it starts is there as well. */
function enter(path: string): void {
  const fd = openSync(path, 'r')
  if (libc().setns(fd, CLONE_NEWNET) !== 0) throw new Error(`Cannot enter ${path}`)
  closeSync(fd)
}

const counters = (): ReadonlyMap<string, number> =>
  new Map(droppedPackets().map(({ direction, address, packets }) => [`${direction} ${address}`, packets]))

/** Whom packets were dropped for since then, once for each. */
const since = (before: ReadonlyMap<string, number>): string[] =>
  [...counters()].flatMap(([who, packets]) => Array<string>(packets - (before.get(who) ?? 0)).fill(who))
