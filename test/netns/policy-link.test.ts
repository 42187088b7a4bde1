import t from 'tap'
import { compile } from '../../daemon/core/policy/compile.ts'
import { until } from '../conformance/until.ts'
import { cluster, pod, policy } from '../support/policy-objects.ts'
import { ip } from '../support/result.ts'
import type { Pod } from './lab.ts'
import { encodeFrame, nameOf, type RawPacket } from './packet.ts'
import { GATEWAY, NODE, onBothNodes, type PolicyLab } from './policy-lab.ts'

/*
 * Two pods of one node share a link. Neither leaves the way by the node, and with it the policies.
 */

const A = ['10.1.0.1', 'fd00:1::1'] as const
const B = ['10.1.0.2', 'fd00:1::2'] as const
const PODS = [pod('red/a', A), pod('red/b', B, { app: 'b' })]
const DENY_B = policy('red/deny', { podSelector: { matchLabels: { app: 'b' } } })

/** Types of tags for VLAN 0, which a kernel takes away, however many there are. */
const TAGS = [[], [0x8100], [0x88a8], [0x8100, 0x8100], [0x88a8, 0x8100], [0x8100, 0x8100, 0x8100]]

const packet = (source: string, destination: string, sourcePort: number): RawPacket => ({
  source: ip(source),
  destination: ip(destination),
  protocol: 'udp',
  sourcePort,
  port: 80,
})

/** A pod's link-local address, and the index of its link. */
async function linkOf({ lab }: PolicyLab, { netns }: Pod): Promise<{ address: string; index: number }> {
  const [link] = await lab.ip(netns, 'address', 'show', 'dev', 'eth0')
  const addresses = link.addr_info as readonly { readonly local: string }[]
  const { local } = addresses.find(({ local }) => local.startsWith('fe80:'))!
  return { address: local, index: link.ifindex as number }
}

/** The first pod knows the other's MAC, and says that these addresses are on its link. */
async function goStraight({ lab, pods }: PolicyLab, addresses: readonly string[]): Promise<void> {
  const [{ netns }, { result }] = pods as [Pod, Pod]
  for (const address of addresses) {
    const family = address.includes(':') ? '-6' : '-4'
    const [dev, { mac }] = [['dev', 'eth0'], result.interfaces[2]]
    await lab.inside(netns, 'ip', family, 'neigh', 'replace', address, 'lladdr', mac, ...dev)
    await lab.inside(netns, 'ip', family, 'route', 'replace', address, ...dev)
  }
}

onBothNodes(t, { pods: [A, B], others: [] }, async (t, lab) => {
  const [a, b] = lab.pods as [Pod, Pod]
  const site = { node: 'n1', unknownPods: 'closed', log: false } as const
  await lab.enforce(compile(cluster({ pods: PODS, policies: [DENY_B] }), site))
  const [from, to] = [await linkOf(lab, a), await linkOf(lab, b)]
  await goStraight(lab, [...B, to.address])
  lab.receiveAt(b)
  const attempts = [
    ...B.map((address, i) => packet(A[i]!, address, 2000 + i)),
    packet(from.address, to.address, 2002),
    packet(from.address, B[1], 2003),
    packet(A[1], to.address, 2004),
    packet(from.address, 'ff02::1', 2005),
    packet(A[1], 'ff02::1', 2006),
    packet(A[0], '224.0.0.1', 2007),
    packet(A[0], '255.255.255.255', 2008),
    ...B.flatMap((address, i) => [
      packet(GATEWAY[i]!, address, 2010 + i),
      packet(NODE[i]!, address, 2020 + i),
    ]),
  ]
  for (const attempt of attempts) lab.socketOf(A[0]).send(attempt, from.index)
  for (const [i, tags] of TAGS.entries()) {
    for (const [j, address] of B.entries()) {
      const attempt = packet(A[j]!, address, 2030 + 2 * i + j)
      const [source, destination] = [a.result.interfaces[2].mac, b.result.interfaces[2].mac]
      lab.socketOf(A[0]).sendFrame(encodeFrame(attempt, { source, destination, tags }), from.index)
      attempts.push(attempt)
    }
  }
  const arrived: string[] = []
  for (const [i, address] of B.entries()) {
    const last = packet(GATEWAY[i]!, address, 2100)
    lab.socketOf(GATEWAY[i]!).send(last)
    await until('what was sent last', async () => {
      arrived.push(...lab.receiveAt(b).map(nameOf))
      return arrived.includes(nameOf(last))
    })
  }
  for (const attempt of attempts) t.notOk(arrived.includes(nameOf(attempt)), nameOf(attempt))
})
