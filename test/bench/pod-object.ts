import { nodeName, type Place } from './node-object.ts'

/** How many namespaces share the pods. */
export const NAMESPACES = 20

/** What runs in each namespace, in this order again and again, and the ports by their names. */
const APPS = [
  { app: 'web', pods: 15, ports: { http: 8080, metrics: 9100 } },
  { app: 'api', pods: 15, ports: { http: 8080, grpc: 8081, metrics: 9101 } },
  { app: 'worker', pods: 9, ports: { metrics: 9102 } },
  { app: 'db', pods: 4, ports: { sql: 5432, metrics: 9103 } },
  { app: 'cache', pods: 4, ports: { redis: 6379, metrics: 9104 } },
  { app: 'dns', pods: 2, ports: { dns: 53, metrics: 9105 } },
  { app: 'monitor', pods: 1, ports: { http: 9090 } },
] as const
type App = (typeof APPS)[number]

/** One namespace's worth. */
const CYCLE: readonly App[] = APPS.flatMap(app => Array.from({ length: app.pods }, () => app))

/** Pods that are in the cluster; places from here on are of those that come later. */
export const PODS = NAMESPACES * CYCLE.length

export const namespaceName = (index: number): string => `namespace-${index}`
const namespaceAt = (place: Place): number => place % NAMESPACES
const appAt = (place: Place): App => CYCLE[Math.floor(place / NAMESPACES) % CYCLE.length]!

/** The place of a namespace's pod of an app: the first, or the one so many after it. */
export const placeOf = (namespace: number, app: App['app'], nth = 0): Place =>
  (CYCLE.findIndex(each => each.app === app) + nth) * NAMESPACES + namespace

export const podNamespace = (place: Place): string => namespaceName(namespaceAt(place))
export const podName = (place: Place): string => `${setName(place)}-${String(place).padStart(5, '0')}`

/** As a Deployment names its ReplicaSets. */
const setName = (place: Place): string => `${appAt(place).app}-${HASH}`
const HASH = '6d4cf56db6'

/** Pods of one node, and their addresses, are in the network of its place: there may be more than the kubelet's 110. */
export const podNetwork = (node: Place): string => `10.${node}.0.0/16`
const PODS_AFTER_GATEWAY = 2
export function podIp(place: Place, nodes: number): string {
  const host = Math.floor(place / nodes) + PODS_AFTER_GATEWAY
  return `10.${place % nodes}.${host >> 8}.${host & 255}`
}

const uidOf = (kind: number, place: Place): string =>
  `${String(kind).padStart(8, '0')}-5b1c-4d4c-8d55-${String(place).padStart(12, '0')}`

export const labelsOf = (place: Place, app: string = appAt(place).app): Readonly<Record<string, string>> => ({
  app,
  'app.kubernetes.io/name': app,
  'app.kubernetes.io/part-of': podNamespace(place),
  'pod-template-hash': HASH,
  version: `v${(place % 3) + 1}`,
})

/**
 * A running Pod of a Deployment as its kubelet tells of it, with what admission adds; some 5 KB of JSON. Pods are dealt
 * to so many nodes in turn.
 */
export const podObject = (place: Place, nodes: number): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    namespace: podNamespace(place),
    name: podName(place),
    generateName: `${setName(place)}-`,
    uid: uidOf(1, place),
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: labelsOf(place),
    annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' },
    ownerReferences: [
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: setName(place),
        uid: uidOf(2, namespaceAt(place)),
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  spec: {
    nodeName: nodeName(place % nodes),
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    enableServiceLinks: true,
    containers: [containerAt(place)],
    tolerations: ['not-ready', 'unreachable'].map(taint => ({
      key: `node.kubernetes.io/${taint}`,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: 300,
    })),
    volumes: [TOKEN_VOLUME, { name: 'config', configMap: { name: `${appAt(place).app}-config` } }],
  },
  status: statusAt(place, nodes),
})

const TOKEN_VOLUME = {
  name: 'kube-api-access-x7kq2',
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
}

const imageOf = (app: App): string => `registry.example.com/shop/${app.app}:1.27.3`

function containerAt(place: Place): object {
  const app = appAt(place)
  const probe = { httpGet: { path: '/healthz', port: 'metrics', scheme: 'HTTP' }, periodSeconds: 10 }
  return {
    name: app.app,
    image: imageOf(app),
    args: ['--log-level=info', '--config=/etc/config/config.yaml'],
    ports: Object.entries(app.ports).map(([name, containerPort]) => ({
      name,
      containerPort,
      protocol: name === 'dns' ? 'UDP' : 'TCP',
    })),
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } },
      { name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
      ...['DATABASE', 'CACHE', 'QUEUE'].map(name => ({ name, value: `${name.toLowerCase()}.example.com` })),
    ],
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '256Mi' } },
    readinessProbe: probe,
    livenessProbe: probe,
    volumeMounts: [
      { name: 'config', mountPath: '/etc/config', readOnly: true },
      {
        name: TOKEN_VOLUME.name,
        mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
        readOnly: true,
      },
    ],
  }
}

const CONDITIONS = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']

/** What the kubelet says of a pod that runs. */
export function statusAt(place: Place, nodes: number): object {
  const [app, ip] = [appAt(place), podIp(place, nodes)]
  return {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    hostIP: `172.16.0.${(place % nodes) + 1}`,
    qosClass: 'Burstable',
    startTime: '2026-01-01T00:00:00Z',
    conditions: CONDITIONS.map(type => ({
      type,
      status: 'True',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    })),
    containerStatuses: [
      {
        name: app.app,
        ready: true,
        started: true,
        restartCount: 0,
        image: imageOf(app),
        imageID: `registry.example.com/shop/${app.app}@sha256:${'0'.repeat(64)}`,
        containerID: `containerd://${String(place).padStart(64, '0')}`,
        state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
      },
    ],
  }
}
