import type { Test } from 'tap'
import { type Cast, HOST_PORT, PEERS } from './cast.ts'
import { type Pod, PORT, startPods } from './pods.ts'
import { type Call, type Caller, comesOut, fromOutside, fromPod } from './probes.ts'
import { type Addresses, byVersion, type Resource, type Stage } from './stage.ts'

/** A Service with one pod behind it. */
export interface Service {
  readonly name: string
  readonly pod: Pod
  readonly addresses: Addresses
  readonly nodePort: number
}

/** The port of every Service. */
export const SERVICE_PORT = 80
/** The headless Service of one pod of each node. */
export const HEADLESS = 'peers'

/** Makes a Service for the first pod of each node, and a headless one for all of these. */
export async function makeServices(stage: Stage, cast: Cast): Promise<readonly Service[]> {
  await stage.apply([
    ...cast.map(({ pod, node }) =>
      service(stage, nameOf(node.name), { type: 'NodePort' }, { app: pod.name }),
    ),
    service(stage, HEADLESS, { clusterIP: 'None' }, PEERS),
  ])
  const made = await Promise.all(cast.map(({ node }) => stage.get('service', nameOf(node.name))))
  return made.map(({ metadata, spec }: Resource, i) => ({
    name: metadata.name,
    pod: cast[i]!.pod,
    addresses: byVersion(spec.clusterIPs),
    nodePort: spec.ports[0].nodePort,
  }))
}

const nameOf = (node: string): string => `service-${node}`

const service = (stage: Stage, name: string, more: object, selector: object): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, labels: { test: 'podwire' } },
  spec: {
    ...more,
    selector,
    ...(stage.families.length === 2 ? { ipFamilyPolicy: 'PreferDualStack' } : {}),
    ports: [{ name: 'who', port: SERVICE_PORT, targetPort: PORT }],
  },
})

/** Pods by the address of a Service, and by ports of the nodes. */
export async function testServices(
  t: Test,
  stage: Stage,
  cast: Cast,
  services: readonly Service[],
): Promise<void> {
  await t.test('a pod reaches a Service whose pod is on the same node, on another, or itself', t =>
    comesOut(
      t,
      cast.flatMap(({ pod, twin }) =>
        [pod, twin].flatMap(caller => services.flatMap(its => toService(stage, caller, its))),
      ),
    ),
  )

  await t.test('nodes reach every Service', t =>
    comesOut(
      t,
      cast.flatMap(({ host }) => services.flatMap(its => toService(stage, host, its, false))),
    ),
  )

  await t.test('a NodePort leads to its pod from nodes, from pods and from outside', t => {
    const callers = [
      fromOutside(stage),
      ...cast.flatMap(({ pod, host }) => [fromPod(stage, pod.name), fromPod(stage, host.name)]),
    ]
    const calls = services.flatMap(({ pod, nodePort }) => toNodes(stage, callers, nodePort, () => pod.name))
    return comesOut(t, calls)
  })

  await t.test('a Service that keeps traffic on the node shows the pod who called from outside', async t => {
    const { name, pod, nodePort } = services.at(-1)!
    await stage.kubectl('patch', 'service', name, '--patch={"spec":{"externalTrafficPolicy":"Local"}}')
    const node = cast.find(place => place.node.name === pod.node)!.node
    const calls = stage.families.map(version => ({
      from: fromOutside(stage),
      to: node.addresses[version]!,
      port: nodePort,
      server: pod.name,
      peer: stage.outside[version],
    }))
    await comesOut(t, calls)
  })

  await t.test('a hostPort leads to its pod from everywhere, and shows it who called', t => {
    const hosts = cast.flatMap(({ node, host }) =>
      toNodes(stage, [fromPod(stage, host.name)], HOST_PORT, to => `pod-${to}`, node.addresses, node.name),
    )
    const pods = cast.flatMap(({ pod, node }) =>
      toNodes(stage, [fromPod(stage, pod.name)], HOST_PORT, to => `pod-${to}`, pod.addresses, node.name),
    )
    const outside = toNodes(stage, [fromOutside(stage)], HOST_PORT, to => `pod-${to}`, stage.outside)
    return comesOut(t, [...outside, ...hosts, ...pods])
  })

  await t.test('what comes in at the hostPort of an ingress proxy reaches a Service by its name', async t => {
    const [{ name: backend, pod }, hostPort] = [services[0]!, 18090]
    const script = `exec socat TCP6-LISTEN:${PORT},fork,reuseaddr TCP:${backend}:${SERVICE_PORT}`
    const node = cast.at(-1)!.node
    await startPods(stage, [{ name: 'ingress', node: node.name, hostPort, script }])
    const calls = stage.families.map(version => ({
      from: fromOutside(stage),
      to: node.addresses[version]!,
      port: hostPort,
      server: pod.name,
    }))
    await comesOut(t, calls)
  })
}

/**
 * Calls of a Service's addresses. Its pod sees the caller's own address, unless it calls itself, which works only by
 * translation, or the caller is a node, which has several.
 */
const toService = (stage: Stage, from: Pod, { pod, addresses }: Service, isSeen = from.name !== pod.name) =>
  stage.families.map((version): Call => ({
    from: fromPod(stage, from.name),
    to: addresses[version]!,
    port: SERVICE_PORT,
    server: pod.name,
    peer: isSeen ? from.addresses[version] : undefined,
  }))

/** Calls of a port of every node. `own` are the addresses by which the callers must be seen, but on the node `but`. */
const toNodes = (
  stage: Stage,
  callers: readonly Caller[],
  port: number,
  serverOn: (node: string) => string,
  own: Addresses = {},
  but?: string,
): Call[] =>
  stage.nodes.flatMap(({ name, addresses }) =>
    callers.flatMap(from =>
      stage.families.map(version => ({
        from,
        to: addresses[version]!,
        port,
        server: serverOn(name),
        peer: name === but ? undefined : own[version],
      })),
    ),
  )
