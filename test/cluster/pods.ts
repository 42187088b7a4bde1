import { type Addresses, byVersion, type Resource, type Stage } from './stage.ts'
import { TOOLS_IMAGE } from './cluster.ts'

/** A running pod. */
export interface Pod {
  readonly name: string
  readonly node: string
  readonly addresses: Addresses
  /** Its first container, as containerd knows it; another one after every restart. */
  readonly containerId: string
}

/** Every pod's server listens here. */
export const PORT = 8080
/** The server of a pod on the node's own network; another port, so that it is clear who answers. */
export const NODE_PORT = 8081

/** What a pod is to be. */
export interface PodOptions {
  readonly name: string
  /** Where it runs; the scheduler chooses without. */
  readonly node?: string
  readonly labels?: Readonly<Record<string, string>>
  /** Shares the node's network. */
  readonly hostNetwork?: boolean
  /** The port of the node that leads to the server. */
  readonly hostPort?: number
  /** What runs in it; a server that tells its own name and whom it sees, unless told. */
  readonly script?: string
}

/** A server that answers every connection with its name and the address that it sees at the other end. */
export const server = (name: string, port: number): string =>
  `exec socat TCP6-LISTEN:${port},fork,reuseaddr,backlog=128 'SYSTEM:echo ${name} $SOCAT_PEERADDR'`

/** A pod of two containers: one runs the script, the other lends a shell on the same network. */
export function pod({ name, node, labels, hostNetwork = false, hostPort, script }: PodOptions): object {
  const port = hostNetwork ? NODE_PORT : PORT
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { test: 'podwire', app: name, ...labels } },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      hostNetwork,
      // Nobody here talks to the API server, and a volume less is a pod sooner gone.
      automountServiceAccountToken: false,
      // Nothing here has anything to end in order.
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          ...shell('main', script ?? server(name, port)),
          ports: hostPort === undefined ? [] : [{ containerPort: port, hostPort }],
          // So the kubelet, too, shows that a node reaches its pods.
          readinessProbe: { tcpSocket: { port }, periodSeconds: 1, timeoutSeconds: 2 },
        },
        shell('shell', 'exec sleep 1000000'),
      ],
    },
  }
}

const shell = (name: string, script: string): object => ({
  name,
  image: TOOLS_IMAGE,
  imagePullPolicy: 'Never',
  command: ['sh', '-c', script],
})

/** Starts pods side by side; answers when all are ready, by their names. */
export async function startPods(stage: Stage, wanted: readonly PodOptions[]): Promise<Record<string, Pod>> {
  await stage.apply(wanted.map(pod))
  const names = wanted.map(({ name }) => name)
  await stage.wait('condition=Ready', 'pod', ...names)
  return Object.fromEntries(await Promise.all(names.map(async name => [name, await lookAt(stage, name)])))
}

/** What the API server has of a pod. */
export async function lookAt(stage: Stage, name: string): Promise<Pod> {
  return podOf(await stage.get('pod', name))
}

export const podOf = ({ metadata, spec, status }: Resource): Pod => ({
  name: metadata.name,
  node: spec.nodeName,
  addresses: byVersion(status.podIPs.map(({ ip }: Resource) => ip)),
  containerId: status.containerStatuses[0].containerID.replace('containerd://', ''),
})

/** Deletes pods and waits until the API server has forgotten them. */
export async function deletePods(stage: Stage, ...selected: readonly string[]): Promise<void> {
  await stage.kubectl('delete', 'pod', '--grace-period=0', '--wait', ...selected)
}

/** Runs a shell script in a pod; `container` is `main` unless told. */
export const inPod = (stage: Stage, name: string, script: string, container = 'main'): Promise<string> =>
  stage.kubectl('exec', name, `--container=${container}`, '--', 'sh', '-c', script)
