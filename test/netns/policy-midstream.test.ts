import t, { type Test } from 'tap'
import { dumpConnections, parseConnection } from '../../cni/core/netlink/conntrack.ts'
import { dump } from '../../cni/edge/netfilter.ts'
import { affected } from '../../daemon/core/policy/affected.ts'
import { compile } from '../../daemon/core/policy/compile.ts'
import { packetOf } from '../../daemon/core/policy/connection.ts'
import { judge } from '../../daemon/core/policy/judge.ts'
import type { NetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'
import { ownAddresses } from '../../cni/edge/own-addresses.ts'
import { cutConnections } from '../../daemon/edge/connections.ts'
import { FAMILIES } from '../../ipam/core/ip.ts'
import { cluster, pod, policy } from '../support/policy-objects.ts'
import { ip } from '../support/result.ts'
import { answerTo, type RawPacket, SCTP, TCP } from './packet.ts'
import { onBothNodes, type PolicyLab } from './policy-lab.ts'

/*
 * A connection that policies forbid is cut, and whatever either end sends of it later does not bring it back.
 */

const OTHERS = ['10.2.0.1', 'fd00:2::1'] as const
const A = ['10.1.0.1', 'fd00:1::1'] as const
const B = ['10.1.0.2', 'fd00:1::2'] as const
const VERSIONS = [0, 1] as const
const PORT = 80

const rulesOf = (...policies: readonly NetworkPolicy[]): RuleSet =>
  compile(cluster({ pods: [pod('red/a', A), pod('red/b', B, { app: 'b' })], policies }), {
    node: 'n1',
    unknownPods: 'closed',
    log: false,
  })

type Spec = Parameters<typeof policy>[1]
/** Isolates b, and allows it what is said. */
const isolating = (spec: Spec): NetworkPolicy =>
  policy('red/p', { podSelector: { matchLabels: { app: 'b' } }, ...spec })

/** Who begins the connection that a policy of b is about, and how one allows it. */
const CASES = [
  { what: 'a pod of the node to b', client: A, server: B, direction: 'ingress' },
  { what: 'others to b', client: OTHERS, server: B, direction: 'ingress' },
  { what: 'b to a pod of the node', client: B, server: A, direction: 'egress' },
  { what: 'b to others', client: B, server: OTHERS, direction: 'egress' },
] as const
const policyTypes = { ingress: ['Ingress'], egress: ['Egress'] } as const
const ports = [{ port: PORT }, { port: PORT, protocol: 'SCTP' }]

const { syn, ack, fin, rst } = TCP
/** What ends send in the middle of a connection, after it, and by mistake. */
const LATE: Readonly<Record<string, number>> = {
  ack,
  fin: fin | ack,
  rst,
  'rst ack': rst | ack,
  'syn ack': syn | ack,
  none: 0,
}

let used = 2000
const first = (client: string, server: string): RawPacket => ({
  source: ip(client),
  destination: ip(server),
  protocol: 'tcp',
  sourcePort: (used += 1),
  port: PORT,
  sequence: 1000,
})

/** The packets that open a connection after its first. */
const opening = (open: RawPacket): RawPacket[] => [
  { ...answerTo(open), flags: syn | ack, sequence: 5000, acknowledgement: 1001 },
  { ...open, flags: ack, sequence: 1001, acknowledgement: 5001 },
]

/** A packet in the middle of a connection, by its client or its server. */
const late = (open: RawPacket, by: 'client' | 'server', flags: number): RawPacket =>
  by === 'client'
    ? { ...open, flags, sequence: 1001, acknowledgement: 5001 }
    : { ...answerTo(open), flags, sequence: 5001, acknowledgement: 1001 }

/** Has rules in force, and cuts what they forbid, as the daemon does; answers how much that was. */
async function enforce(lab: PolicyLab, present: RuleSet, wanted: RuleSet): Promise<number> {
  await lab.enforce(wanted)
  const own = { node: 'n1', addresses: ownAddresses() }
  return cutConnections(
    affected(present, wanted),
    connection => judge(wanted, 'n1', packetOf(connection, own)) === 'accept',
  )
}

/** Whether the node's kernel knows a connection with this port of its client's. */
const isKnown = ({ sourcePort }: RawPacket): boolean =>
  FAMILIES.flatMap(family => dump(dumpConnections(family, {})))
    .flatMap(({ body }) => parseConnection(body) ?? [])
    .some(({ original }) => [original.sourcePort, original.destinationPort].includes(sourcePort))

const TESTS: Readonly<Record<string, (t: Test, lab: PolicyLab) => Promise<void>>> = {
  'a connection that is cut stays cut, whichever end sends first': async (t, lab) => {
    for (const { what, client, server, direction } of CASES) {
      const types = policyTypes[direction]
      const open = rulesOf(isolating({ policyTypes: types, [direction]: [{ ports }] }))
      const closed = rulesOf(isolating({ policyTypes: types }))
      for (const i of VERSIONS) {
        for (const by of ['client', 'server'] as const) {
          await lab.enforce(open)
          const start = first(client[i], server[i])
          for (const packet of [start, ...opening(start), late(start, 'server', ack)])
            t.equal(await lab.passes(packet), true)
          t.equal(await enforce(lab, open, closed), 1, `${what}: cut`)
          for (const end of [by, by === 'client' ? 'server' : 'client'] as const) {
            for (const [name, flags] of Object.entries(LATE)) {
              const { dropped } = await lab.send([late(start, end, flags)])
              t.same(dropped, [`${direction} ${B[i]}`], `${what}: ${name} by the ${end}`)
            }
          }
          t.equal(isKnown(start), false)
        }
      }
    }
  },

  'what is allowed goes on, and is not taken up in its middle once it was forgotten': async (t, lab) => {
    for (const { what, client, server, direction } of CASES) {
      const some = isolating({ policyTypes: policyTypes[direction], [direction]: [{ ports }] })
      const more = { ...some, [direction]: [...some[direction]!, ...some[direction]!] }
      const [before, after] = [rulesOf(), rulesOf(some)]
      for (const i of VERSIONS) {
        await lab.enforce(before)
        const start = first(client[i], server[i])
        for (const packet of [start, ...opening(start)]) await lab.passes(packet)
        t.equal(await enforce(lab, before, after), 0)
        t.equal(await enforce(lab, after, rulesOf(more)), 0)
        for (const by of ['client', 'server'] as const)
          t.equal(await lab.passes(late(start, by, ack)), true, what)
        const unknown = first(client[i], server[i])
        for (const by of ['client', 'server'] as const)
          t.equal(await lab.passes(late(unknown, by, ack)), false, what)
        t.equal(await lab.passes(unknown), true, 'it may begin anew')
      }
    }
  },

  'of a pod that no policy isolates it is': async (t, lab) => {
    await lab.enforce(rulesOf(isolating({ policyTypes: ['Ingress', 'Egress'] })))
    for (const i of VERSIONS) {
      const unknown = first(A[i], OTHERS[i])
      t.equal(await lab.passes(late(unknown, 'server', ack)), true)
      t.equal(await lab.passes(late(unknown, 'client', ack)), true)
    }
  },

  'an answer that was on its way does not bring a flow of UDP back': async (t, lab) => {
    for (const { what, client, server, direction } of CASES) {
      const types = policyTypes[direction]
      const udp = [{ port: PORT, protocol: 'UDP' }]
      const open = rulesOf(isolating({ policyTypes: types, [direction]: [{ ports: udp }] }))
      const closed = rulesOf(isolating({ policyTypes: types }))
      for (const i of VERSIONS) {
        await lab.enforce(open)
        const start = { ...first(client[i], server[i]), protocol: 'udp' } as const
        for (const packet of [start, answerTo(start)]) t.equal(await lab.passes(packet), true)
        await enforce(lab, open, closed)
        t.equal(isKnown(start), false, `${what}: cut`)
        for (const packet of [answerTo(start), start]) {
          const { dropped } = await lab.send([packet])
          t.same(dropped, [`${direction} ${B[i]}`], what)
        }
        t.equal(isKnown(start), false)
        const other = { ...start, sourcePort: (used += 1) }
        t.equal(await lab.passes(answerTo(other)), true, 'the server may begin another')
        await lab.enforce(open)
        t.equal(await lab.passes(start), true, 'and the client the same, when it is allowed to again')
        t.equal(await lab.passes(answerTo(start)), true)
      }
    }
  },

  'an association begins with an INIT, and with nothing else': async (t, lab) => {
    for (const { what, client, server, direction } of CASES) {
      await lab.enforce(rulesOf(isolating({ policyTypes: policyTypes[direction], [direction]: [{ ports }] })))
      for (const i of VERSIONS) {
        const start = { ...first(client[i], server[i]), protocol: 'sctp' } as const
        for (const [name, chunk] of Object.entries(SCTP)) {
          for (const by of ['client', 'server'] as const) {
            const packet = { ...start, chunk, sourcePort: (used += 1) }
            // Nothing isolates the server from what it begins itself.
            const passes = await lab.passes(by === 'client' ? packet : answerTo(packet))
            t.equal(passes, name === 'init', `${what}: ${name} by the ${by}`)
          }
        }
      }
    }
  },
}

onBothNodes(t, { pods: [A, B], others: OTHERS }, async (t, lab) => {
  await lab.mute()
  for (const [name, body] of Object.entries(TESTS)) t.test(name, t => body(t, lab))
})
