import type { Test } from 'tap'
import type { Version } from '../cluster.ts'
import { type Call, comesOut, fromOutside } from '../probes.ts'
import { type Addresses, byVersion, type Resource, type Stage } from '../stage.ts'
import { ALL, block, labels, podsIn, policy, tcp } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import { nameOf, PORTS, type Prober, startProbers } from './prober.ts'
import type { Scene } from './scene.ts'
import { agrees, type Cell, PROTOCOLS } from './table.ts'

/** The port of the Service, and that of the node. */
const SERVICE_PORT = 80
const HOST_PORT = 17001

/** A pod, and the other addresses that lead to it. */
interface Door {
  readonly pod: Prober
  readonly clusterIPs: Addresses
  readonly nodePort: number
  /** Of its node. */
  readonly node: Addresses
}

/** Whatever a packet was sent to, the pod's own address and port are judged. */
export async function testServices(t: Test, stage: Stage, scene: Scene): Promise<void> {
  const door = await makeDoor(scene)
  const callers = scene.probers.filter(({ isHost }) => !isHost)
  const byService = cellsBy(stage, callers, door.pod, door.clusterIPs, SERVICE_PORT)
  // On its own node a caller of a hostPort is translated too, and seen as the node.
  const far = callers.filter(({ node }) => node !== door.pod.node)
  const byHostPort = cellsBy(stage, far, door.pod, door.node, HOST_PORT)
  for (const { name, namespace, spec, opens } of specsFor(stage, door)) {
    await t.test(`Services and ports of nodes under a policy ${name}`, async t => {
      await stage.apply([policy(namespace, 'service', spec)])
      await agrees(t, stage, 'by the ClusterIP', byService)
      // Where a packet to a hostPort leaves, it is one to a node: only ingress sees the pod.
      if (namespace === door.pod.namespace) await agrees(t, stage, 'by the hostPort', byHostPort)
      await comesOut(t, callsFromOutside(stage, door, opens ? nameOf(door.pod) : ''))
      await deletePolicies(stage)
    })
  }
  await stage.kubectl('delete', 'service,pod', door.pod.name, `--namespace=${door.pod.namespace}`)
}

/** A policy, and whether it lets the world outside in. */
interface Spec {
  readonly name: string
  readonly namespace: string
  readonly spec: object
  readonly opens: boolean
}

function specsFor({ outside, families }: Stage, { clusterIPs }: Door): Spec[] {
  const podSelector = labels({ app: 'door' })
  const blocksOf = (addresses: Addresses): object[] =>
    families.map(version => block(`${addresses[version]}/${version === 4 ? 32 : 128}`))
  const ingress = (rule: object) => ({ namespace: 'shop', spec: { podSelector, ingress: [rule] } })
  const egress = (rule: object) => ({
    namespace: 'lab',
    spec: { podSelector: ALL, policyTypes: ['Egress'], egress: [rule] },
  })
  const toDoor = podsIn(labels({ team: 'sales' }), podSelector)
  return [
    {
      name: "for ingress at the pod's own port",
      ...ingress({ from: [podsIn(ALL, labels({ app: 'web' }))], ports: [tcp(PORTS[0])] }),
      opens: false,
    },
    {
      name: 'for ingress at the ports that others see',
      ...ingress({ ports: [tcp(SERVICE_PORT), tcp(HOST_PORT)] }),
      opens: false,
    },
    { name: 'for ingress from outside', ...ingress({ from: blocksOf(outside) }), opens: true },
    { name: 'for egress to the pod', ...egress({ to: [toDoor], ports: [tcp(PORTS[0])] }), opens: true },
    { name: 'for egress to the Service', ...egress({ to: blocksOf(clusterIPs) }), opens: true },
    {
      name: "for egress at the Service's port",
      ...egress({ to: [toDoor], ports: [tcp(SERVICE_PORT)] }),
      opens: true,
    },
  ]
}

/** A pod behind a Service, a NodePort and a hostPort. */
async function makeDoor({ stage, nodes: [node] }: Scene): Promise<Door> {
  const [namespace, name] = ['shop', 'door']
  const options = { namespace, name, node, labels: { app: name }, hostPort: HOST_PORT }
  const [pod] = await startProbers(stage, [options])
  await stage.apply([
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: {
        type: 'NodePort',
        // So the pod's node shows who calls from outside.
        externalTrafficPolicy: 'Local',
        selector: { app: name },
        ...(stage.families.length === 2 ? { ipFamilyPolicy: 'PreferDualStack' } : {}),
        ports: PROTOCOLS.map(protocol => ({
          name: protocol,
          protocol: protocol.toUpperCase(),
          port: SERVICE_PORT,
          targetPort: PORTS[0],
        })),
      },
    },
  ])
  const { spec }: Resource = await stage.get('service', name, `--namespace=${namespace}`)
  const { nodePort } = spec.ports.find((port: Resource) => port.name === 'tcp')
  const { addresses } = stage.nodes.find(each => each.name === node)!
  return { pod: pod!, clusterIPs: byVersion(spec.clusterIPs), nodePort, node: addresses }
}

/** Cells that call the first port of a pod by other addresses and another port. */
const cellsBy = (
  stage: Stage,
  callers: readonly Prober[],
  to: Prober,
  addresses: Addresses,
  port: number,
): Cell[] =>
  callers.flatMap(from =>
    PROTOCOLS.flatMap(protocol =>
      stage.families.map((version: Version): Cell => {
        const by = { address: addresses[version]!, port }
        return { from, to, protocol, port: PORTS[0], version, by }
      }),
    ),
  )

/** By the NodePort and the hostPort of the pod's own node. No server is none that answers. */
const callsFromOutside = (stage: Stage, { node, nodePort }: Door, server: string): Call[] =>
  [nodePort, HOST_PORT].flatMap(port =>
    stage.families.map(version => ({
      from: fromOutside(stage),
      to: node[version]!,
      port,
      server,
      peer: server === '' ? undefined : stage.outside[version],
    })),
  )
