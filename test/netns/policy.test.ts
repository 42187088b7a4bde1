import fc from 'fast-check'
import t from 'tap'
import { Compiler } from '../../daemon/core/policy/compile.ts'
import { evaluate, type Packet } from '../../daemon/core/policy/evaluate.ts'
import type { Objects } from '../../daemon/core/policy/objects.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { objects, PACKETS } from '../support/policy.ts'
import { nameOf, type RawPacket } from './packet.ts'
import { onBothNodes, type PolicyLab } from './policy-lab.ts'

/*
 * NetworkPolicies in a kernel: what becomes of real packets is what the API says of them.
 */

const SITE = { node: 'n1', unknownPods: 'closed', log: false } as const
/** Where the addresses are that clusters are made up of; whose they are, each cluster says. */
const PODS = [['10.1.0.1', 'fd00:1::1'], ['10.1.0.2', 'fd00:1::2'], ['10.1.0.3']]
const OTHERS = ['10.2.0.1', '10.2.0.2', '10.9.0.1', 'fd00:2::1', 'fd00:9::1', '192.0.2.1', '2001:db8::1']

const RUNS = 60

let sent = 0
/** The real packet for one that a policy is asked about; each is of a connection of its own. */
function real({ source, destination, protocol, port }: Packet): RawPacket {
  sent += 1
  const kind = protocol === 'other' || protocol === 'discovery' ? 'icmp' : protocol
  return { source, destination, protocol: kind, sourcePort: 2000 + (sent % 60_000), port }
}

/** Packets that pass from one of our namespaces to another. */
const travelling = (lab: PolicyLab): Packet[] =>
  PACKETS.filter(({ source, destination, protocol, sender, receiver }) => {
    const [from, to] = [source, destination].map(end => lab.placeOf(formatIp(end)))
    return from !== to && protocol !== 'discovery' && sender !== 'n2' && receiver !== 'n2'
  })

/** Whom a packet is dropped for on this node, if at all: its egress is decided first. */
function dropFor(all: Objects, packet: Packet): string | undefined {
  const { decisions } = evaluate(all, SITE, packet)
  const denied = decisions.find(({ node, isAllowed }) => node === SITE.node && !isAllowed)
  if (denied === undefined) return undefined
  return `${denied.direction} ${formatIp(denied.direction === 'egress' ? packet.source : packet.destination)}`
}

/** Has a compiler know these objects and no others. */
function replace(compiler: Compiler, all: Objects, attached: Objects['attached']): void {
  compiler.replacePods(all.pods)
  compiler.replaceNamespaces(all.namespaces)
  compiler.replacePolicies(all.policies)
  compiler.setPodCidrs(all.podCidrs)
  for (const { id } of attached) compiler.detach(id)
  for (const each of all.attached) compiler.attach(each)
}

/** Compares what becomes of packets with what the API says of them. */
async function compare(lab: PolicyLab, all: Objects, packets: readonly Packet[]): Promise<void> {
  const cases = packets.map(packet => ({ real: real(packet), drop: dropFor(all, packet) }))
  const { arrived, dropped } = await lab.send(cases.map(({ real }) => real))
  const wrong = cases.filter(({ real, drop }) => arrived.has(nameOf(real)) !== (drop === undefined))
  if (wrong.length > 0) throw new Error(wrong.map(({ real, drop }) => `${nameOf(real)}: ${drop}`).join('\n'))
  const expected = cases.flatMap(({ drop }) => drop ?? [])
  if (expected.sort().join() !== [...dropped].sort().join()) throw new Error(`dropped for ${dropped.join()}`)
}

onBothNodes(t, { pods: PODS, others: OTHERS }, async (t, lab) => {
  const [compiler, packets] = [new Compiler(SITE), travelling(lab)]
  let attached: Objects['attached'] = []
  t.test('packets and the API agree, and those that are dropped are counted for whom they are', async t => {
    const property = fc.asyncProperty(objects, async all => {
      replace(compiler, all, attached)
      attached = all.attached
      await lab.enforce(compiler.compile())
      await compare(lab, all, packets)
    })
    await fc.assert(property, { seed: 5, numRuns: RUNS, endOnFailure: true })
    t.pass(`${RUNS} clusters, ${RUNS * packets.length} packets`)
  })
})
