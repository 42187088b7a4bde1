import t, { type Test } from 'tap'
import { compile } from '../../daemon/core/policy/compile.ts'
import type { NetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import { until } from '../conformance/until.ts'
import { cluster, pod, policy } from '../support/policy-objects.ts'
import { ip } from '../support/result.ts'
import { answerTo, nameOf, type RawPacket } from './packet.ts'
import { GATEWAY, NODE, onBothNodes, type PolicyLab } from './policy-lab.ts'

/*
 * What passes under policies that allow nothing, and what policies mean where addresses are translated. Both pods have
 * policies, and what is between them is not of the same family at once.
 */

const OTHERS = ['10.2.0.1', 'fd00:2::1']
const A = ['10.1.0.1', 'fd00:1::1'] as const
const B = ['10.1.0.2', 'fd00:1::2'] as const
/** Addresses of Services. */
const SERVICE = ['10.96.0.10', 'fd96::10'] as const
const OWN_SERVICE = ['10.96.0.11', 'fd96::11'] as const
const FAMILIES = [0, 1] as const

const PODS = [pod('red/a', A, { app: 'a' }), pod('red/b', B, { app: 'b' })]
const DENY = policy('red/deny', { policyTypes: ['Ingress', 'Egress'] })
const to = (app: string) => [{ podSelector: { matchLabels: { app } } }]
/** From a to b at 8080, and nothing else. */
const A_TO_B = [
  DENY,
  policy('red/a', {
    podSelector: { matchLabels: { app: 'a' } },
    policyTypes: ['Egress'],
    egress: [{ to: to('b'), ports: [8080, 53].flatMap(port => [{ port }, { port, protocol: 'UDP' }]) }],
  }),
  policy('red/b', {
    podSelector: { matchLabels: { app: 'b' } },
    ingress: [{ from: to('a'), ports: [{ port: 8080 }, { port: 8080, protocol: 'UDP' }] }],
  }),
]

const enforce = (lab: PolicyLab, policies: readonly NetworkPolicy[]): Promise<void> =>
  lab.enforce(compile(cluster({ pods: PODS, policies }), { node: 'n1', unknownPods: 'closed', log: false }))

let sent = 2000
const packet = (
  source: string,
  destination: string,
  port = 80,
  protocol: RawPacket['protocol'] = 'tcp',
): RawPacket => ({
  source: ip(source),
  destination: ip(destination),
  protocol,
  port,
  sourcePort: (sent += 1),
})

/** Waits for the answer that a kernel gives by itself. */
const isAnswered = (lab: PolicyLab, packet: RawPacket): Promise<boolean> =>
  until('an answer', async () => lab.receive().includes(nameOf(answerTo(packet))))

/** Services by DNAT, and masquerade for all who go through one, as kube-proxy has it for some. */
const SERVICES = `table inet services {
  chain in {
    type nat hook prerouting priority dstnat;
    ip daddr ${SERVICE[0]} meta l4proto tcp th dport 53 dnat ip to ${B[0]}:8080
    ip6 daddr ${SERVICE[1]} meta l4proto tcp th dport 53 dnat ip6 to [${B[1]}]:8080
    ip daddr ${OWN_SERVICE[0]} dnat ip to ${A[0]}
    ip6 daddr ${OWN_SERVICE[1]} dnat ip6 to ${A[1]}
  }
  chain out {
    type nat hook postrouting priority srcnat;
    ct status dnat masquerade
  }
}`

const TESTS: Readonly<Record<string, (t: Test, lab: PolicyLab) => Promise<void>>> = {
  'answers pass, and what is no answer does not': async (t, lab) => {
    await enforce(lab, A_TO_B)
    for (const i of FAMILIES) {
      const question = packet(A[i], B[i], 8080, 'udp')
      t.equal(await lab.passes(answerTo(question)), false, 'nothing was asked yet')
      t.equal(await lab.passes(question), true)
      t.equal(await lab.passes(answerTo(question)), true)
      t.equal(await lab.passes(packet(B[i], A[i], 8080)), false)
      const request = packet(A[i], B[i], 8080)
      lab.socketOf(A[i]).send(request)
      t.ok(await isAnswered(lab, request), 'b has no such port, and its refusal comes to a')
    }
  },
  'errors of allowed connections pass': async (t, lab) => {
    const unreachable = async (): Promise<string> => {
      const names = { snmp6: 'Icmp6InDestUnreachs', snmp: 'Icmp:' }
      const files = Object.entries(names).map(([file, name]) =>
        lab.lab.inside(lab.pods[0]!.netns, 'grep', name, `/proc/net/${file}`),
      )
      return (await Promise.all(files)).join()
    }
    await enforce(lab, A_TO_B)
    for (const i of FAMILIES) {
      const before = await unreachable()
      lab.socketOf(A[i]).send(packet(A[i], B[i], 8080, 'udp'))
      t.ok(await until('an ICMP error', async () => (await unreachable()) !== before), 'nobody listens there')
    }
  },
  'a pod and its own node reach each other, whatever address either uses': async (t, lab) => {
    await enforce(lab, [DENY])
    for (const i of FAMILIES) {
      for (const node of [NODE[i], GATEWAY[i]]) {
        for (const protocol of ['tcp', 'udp', 'sctp', 'icmp'] as const) {
          const passes = await lab.passes(packet(node, A[i], protocol === 'icmp' ? 0 : 80, protocol))
          t.equal(passes, true, `${node} reaches its pod by ${protocol}`)
        }
        const request = packet(A[i], node)
        lab.socketOf(A[i]).send(request)
        t.ok(await isAnswered(lab, request), `${node} answers its pod`)
      }
      t.equal(await lab.passes(packet(OTHERS[i]!, A[i])), false, 'and nobody else reaches it')
      t.equal(await lab.passes(packet(A[i], OTHERS[i]!)), false)
    }
  },
  'neighbours are found again': async (t, lab) => {
    await enforce(lab, A_TO_B)
    for (const { netns } of lab.pods) await lab.lab.inside(netns, 'ip', 'neigh', 'flush', 'dev', 'eth0')
    await lab.lab.inside(lab.lab.host, 'ip', 'neigh', 'flush', 'dev', 'cbr0')
    for (const i of FAMILIES) {
      t.equal(await lab.passes(packet(A[i], B[i], 8080)), true)
      t.equal(await lab.passes(packet(GATEWAY[i], A[i])), true)
    }
  },
  'through a Service a pod is what it is, whatever the addresses are made to look like': async (t, lab) => {
    await lab.lab.inside(lab.lab.host, 'nft', SERVICES)
    await enforce(lab, A_TO_B)
    for (const i of FAMILIES) {
      const call = packet(A[i], SERVICE[i], 53)
      const [source, destination] = [ip(GATEWAY[i]), ip(B[i])]
      t.equal(await lab.passes(call, { ...call, source, destination, port: 8080 }), true)
      const others = packet(OTHERS[i]!, SERVICE[i], 53)
      t.same(
        (await lab.send([others])).dropped,
        [`ingress ${B[i]}`],
        'others look like the node, and are not',
      )
      t.equal(await lab.passes(packet(GATEWAY[i], B[i], 8080)), true, 'which the node is')
      const direct = packet(A[i], B[i], 53)
      t.same((await lab.send([direct])).dropped, [`ingress ${B[i]}`], 'the port is the one that b has')
    }
  },
  'a pod reaches itself by a Service': async (t, lab) => {
    await enforce(lab, [DENY])
    for (const i of FAMILIES) {
      const call = packet(A[i], OWN_SERVICE[i])
      t.equal(await lab.passes(call, { ...call, source: ip(GATEWAY[i]), destination: ip(A[i]) }), true)
    }
    await lab.lab.inside(lab.lab.host, 'nft', 'delete table inet services')
  },
}

onBothNodes(t, { pods: [A, B], others: OTHERS }, async (t, lab) => {
  for (const [name, body] of Object.entries(TESTS)) t.test(name, t => body(t, lab))
})
