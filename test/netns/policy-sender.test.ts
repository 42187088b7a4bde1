import t, { type Test } from 'tap'
import { compile } from '../../daemon/core/policy/compile.ts'
import { until } from '../conformance/until.ts'
import { cluster, lockedAttachment, pod, policy } from '../support/policy-objects.ts'
import { ip } from '../support/result.ts'
import type { Pod } from './lab.ts'
import { encodeFrame, nameOf, type RawPacket } from './packet.ts'
import { onBothNodes, type PolicyLab } from './policy-lab.ts'

/*
 * A process with CAP_NET_RAW says that it was somebody else, and so may what that one may. Whoever sends by an address
 * that is not its own is not heard, neither for a first packet nor in the middle of somebody's connection.
 */

const LIAR = ['10.1.0.1', 'fd00:1::1'] as const
const FRIEND = ['10.1.0.2', 'fd00:1::2'] as const
const GUARDED = ['10.1.0.3', 'fd00:1::3'] as const
const STRANGER = ['198.51.100.7', '2001:db8::7'] as const
const PODS = { liar: LIAR, friend: FRIEND, guarded: GUARDED }
const FAMILIES = [0, 1] as const
const PROTOCOLS = ['tcp', 'udp', 'sctp', 'icmp'] as const

/** Who may reach the guarded pod: a friend, and the world outside. */
const GUARD = policy('red/guard', {
  podSelector: { matchLabels: { app: 'guarded' } },
  ingress: [
    { from: [{ podSelector: { matchLabels: { app: 'friend' } } }] },
    {
      from: STRANGER.map(address => ({
        ipBlock: { cidr: `${address}/${address.includes(':') ? 128 : 32}` },
      })),
    },
  ],
})

const packet = (
  source: string,
  destination: string,
  port: number,
  protocol: RawPacket['protocol'] = 'udp',
): RawPacket => ({
  source: ip(source),
  destination: ip(destination),
  protocol,
  sourcePort: 4000,
  port: protocol === 'icmp' ? 0 : port,
})

const macOf = ({ result }: Pod): string => result.interfaces[2].mac

/** Puts the policy in force, with these pods known as they were wired. */
const enforce = (lab: PolicyLab, known: readonly (keyof typeof PODS)[]): Promise<void> =>
  lab.enforce(
    compile(
      cluster({
        pods: Object.entries(PODS).map(([name, addresses]) => pod(`red/${name}`, addresses, { app: name })),
        policies: [GUARD],
        attached: known.map(name => {
          const at = lab.pods[Object.keys(PODS).indexOf(name)]!
          return lockedAttachment(macOf(at), `pods/${name}/eth0`, `red/${name}`, PODS[name])
        }),
      }),
      { node: 'n1', unknownPods: 'closed', log: false },
    ),
  )

/** What comes to a pod, up to a packet that certainly does. */
async function arrivals(lab: PolicyLab, at: Pod, last: RawPacket): Promise<string[]> {
  const arrived: string[] = []
  lab.socketOf(FRIEND[0]).send(last)
  await until('the last packet', async () => {
    arrived.push(...lab.receiveAt(at).map(nameOf))
    return arrived.at(-1) === nameOf(last)
  })
  return arrived.slice(0, -1)
}

const TESTS: Readonly<Record<string, (t: Test, lab: PolicyLab) => Promise<void>>> = {
  'a pod is heard by its own addresses': async (t, lab) => {
    for (const i of FAMILIES) {
      for (const protocol of PROTOCOLS) {
        t.ok(await lab.passes(packet(FRIEND[i], GUARDED[i], 80, protocol)), `the friend, by ${protocol}`)
        t.ok(await lab.passes(packet(LIAR[i], FRIEND[i], 80, protocol)), `who lies elsewhere, by ${protocol}`)
        t.ok(await lab.passes(packet(GUARDED[i], STRANGER[i], 80, protocol)), `out, by ${protocol}`)
      }
    }
  },
  'by nobody else’s': async (t, lab) => {
    const guarded = lab.pods[2]!
    lab.receiveAt(guarded)
    for (const i of FAMILIES) {
      for (const protocol of PROTOCOLS)
        for (const as of [FRIEND[i], STRANGER[i]])
          lab.socketOf(LIAR[0]).send(packet(as, GUARDED[i], 81, protocol))
      t.same(await arrivals(lab, guarded, packet(FRIEND[i], GUARDED[i], 82)), [])
    }
  },
  'not in the middle of a connection either': async (t, lab) => {
    const guarded = lab.pods[2]!
    for (const i of FAMILIES) {
      const known = packet(FRIEND[i], GUARDED[i], 83)
      t.ok(await lab.passes(known))
      lab.receiveAt(guarded)
      lab.socketOf(LIAR[0]).send(known)
      t.same(await arrivals(lab, guarded, packet(FRIEND[i], GUARDED[i], 84)), [])
    }
  },
  'not by frames with the other’s MAC': async (t, lab) => {
    const [liar, friend, guarded] = lab.pods as [Pod, Pod, Pod]
    const [link] = await lab.lab.ip(liar.netns, 'link', 'show', 'dev', 'eth0')
    const [bridge] = await lab.lab.ip(lab.lab.host, 'link', 'show', 'dev', 'cbr0')
    lab.receiveAt(guarded)
    for (const i of FAMILIES) {
      const lie = packet(FRIEND[i], GUARDED[i], 85)
      for (const destination of [bridge.address as string, macOf(guarded)]) {
        const frame = encodeFrame(lie, { source: macOf(friend), destination, tags: [] })
        lab.socketOf(LIAR[0]).sendFrame(frame, link.ifindex)
      }
      t.same(await arrivals(lab, guarded, packet(FRIEND[i], GUARDED[i], 86)), [])
    }
  },
  'a pod of which nobody knows by which MAC it sends is not asked': async (t, lab) => {
    await enforce(lab, ['friend', 'guarded'])
    for (const i of FAMILIES) {
      const lie = packet(STRANGER[i], GUARDED[i], 87)
      lab.socketOf(LIAR[0]).send(lie)
      t.same(await arrivals(lab, lab.pods[2]!, packet(FRIEND[i], GUARDED[i], 88)), [nameOf(lie)])
    }
  },
}

onBothNodes(t, { pods: [LIAR, FRIEND, GUARDED], others: STRANGER }, async (t, lab) => {
  await enforce(lab, ['liar', 'friend', 'guarded'])
  for (const [name, body] of Object.entries(TESTS)) await t.test(name, t => body(t, lab))
})
