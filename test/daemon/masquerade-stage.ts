import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import { masqueradeScript, type MasqueradeWish } from '../../daemon/core/masquerade.ts'
import { differences } from '../../daemon/core/masquerade-present.ts'
import { applyMasquerade, observeMasquerade } from '../../daemon/edge/masquerade.ts'
import { Lab } from '../netns/lab.ts'
import { masqueradeWish } from '../support/masquerade.ts'
import { Talker } from './talker.ts'

/** The addresses of both families: who is where on the {@link stage}. */
export const FAMILIES = [
  {
    version: 4,
    word: 'ip',
    own: '10.244.1.0/24',
    gateway: '10.244.1.1',
    node: '172.30.0.11',
    nodeOutside: '192.0.2.1',
    outside: '192.0.2.2',
    given: '198.51.100.7',
    otherNode: '172.30.0.12',
    otherPod: '10.244.2.5',
    otherPods: '10.244.2.0/24',
    multicast: '239.1.2.3',
    bits: 24,
    host: 32,
  },
  {
    version: 6,
    word: 'ip6',
    own: 'fd00:10:244:1::/64',
    gateway: 'fd00:10:244:1::1',
    node: 'fd00:172:30::11',
    nodeOutside: '2001:db8::1',
    outside: '2001:db8::2',
    given: '2001:db8:9::7',
    otherNode: 'fd00:172:30::12',
    otherPod: 'fd00:10:244:2::5',
    otherPods: 'fd00:10:244:2::/64',
    multicast: 'ff0e::1:2:3',
    bits: 64,
    host: 128,
  },
] as const

export const OWN = FAMILIES.map(({ own }) => own)

/** The wish of a daemon on the {@link stage}. */
export const WISH = masqueradeWish({
  own: OWN,
  pods: FAMILIES.flatMap(({ own, otherPods }) => [own, otherPods]),
  nodes: FAMILIES.flatMap(({ node, otherNode }) => [node, otherNode]),
  given: ['198.51.100.0/24', '2001:db8:9::/48'],
})

/** The daemon's masquerade on the node of a lab. */
export class Daemon {
  /** nft on PATH is a wrapper that enters the node's namespace. */
  readonly #world: { readonly env: { readonly PATH: string } }

  constructor(lab: Lab) {
    const folder = `${lab.folder}/bin`
    mkdirSync(folder)
    const lines = ['#!/bin/sh', 'PATH=/usr/sbin:/sbin:/usr/bin:/bin', 'export PATH']
    const enter = `exec nsenter --net=${lab.path(lab.host)} nft "$@"`
    writeFileSync(`${folder}/nft`, [...lines, enter, ''].join('\n'))
    chmodSync(`${folder}/nft`, 0o755)
    this.#world = { env: { PATH: folder } }
  }

  /** Looks, and loads the whole script when something differs; answers what did. */
  async reconcile(wish: MasqueradeWish): Promise<string[]> {
    const present = await observeMasquerade(this.#world)
    const found = differences(wish, present)
    if (found.length > 0) await this.load(masqueradeScript(wish, present))
    return found
  }

  load = (script: string): Promise<void> => applyMasquerade(this.#world, script)

  differences = async (wish: MasqueradeWish): Promise<string[]> =>
    differences(wish, await observeMasquerade(this.#world))
}

/**
 * A node with a pod, a link to another node and one to the outside. All know the ways back to the pods, so an answer
 * comes with masquerade and without.
 */
export async function stage(t: Test, plugin: Readonly<Record<string, unknown>> = {}) {
  const lab = new Lab(t)
  const ranges = OWN.map(subnet => [{ subnet }])
  const config = lab.config({ mode: 'l3', bridge: 'cbr0', ...plugin }, { ranges })
  const pod = await lab.attach(config)
  const names = { other: await join(lab, 'nodes0'), outside: await join(lab, 'up0') }
  for (const {
    version,
    node,
    nodeOutside,
    outside,
    otherNode,
    otherPod,
    otherPods,
    given,
    bits,
    host,
  } of FAMILIES) {
    const ip = (name: string, ...args: string[]) => lab.inside(name, 'ip', `-${version}`, ...args)
    await ip(lab.host, 'address', 'add', `${node}/${bits}`, 'dev', 'nodes0', 'nodad')
    await ip(lab.host, 'address', 'add', `${nodeOutside}/${bits}`, 'dev', 'up0', 'nodad')
    await ip(names.other, 'address', 'add', `${otherNode}/${bits}`, 'dev', 'eth0', 'nodad')
    await ip(names.other, 'address', 'add', `${otherPod}/${host}`, 'dev', 'lo', 'nodad')
    await ip(names.other, 'route', 'add', 'default', 'via', node)
    await ip(names.outside, 'address', 'add', `${outside}/${bits}`, 'dev', 'eth0', 'nodad')
    await ip(names.outside, 'address', 'add', `${given}/${host}`, 'dev', 'lo', 'nodad')
    await ip(names.outside, 'route', 'add', 'default', 'via', nodeOutside)
    await ip(lab.host, 'route', 'add', otherPods, 'via', otherNode)
    await ip(lab.host, 'route', 'add', `${given}/${host}`, 'via', outside)
  }
  const talkers = {
    pod: await Talker.start(t, lab, pod.netns),
    node: await Talker.start(t, lab, lab.host),
    other: await Talker.start(t, lab, names.other),
    outside: await Talker.start(t, lab, names.outside),
  }
  return { lab, config, pod, names, talkers, daemon: new Daemon(lab) }
}

/** A namespace whose eth0 leads to a link of the node. */
async function join(lab: Lab, link: string): Promise<string> {
  const name = lab.namespace(link)
  await lab.inside(lab.host, 'ip', 'link', 'add', link, 'type', 'veth', 'peer', 'eth0', 'netns', name)
  for (const [netns, end] of [
    [lab.host, link],
    [name, 'eth0'],
  ] as const) {
    // A node forwards nothing over a link whose link-local address is still under detection.
    await lab.inside(netns, 'sysctl', '-qw', `net.ipv6.conf.${end}.accept_dad=0`)
    await lab.inside(netns, 'ip', 'link', 'set', end, 'up')
  }
  return name
}
