/** A node's place in the benchmark: from it follow its name and all its addresses. */
export type Place = number

export const nodeName = (place: Place): string => `node-${place}`

/** Two bytes of an address, as text: places go up to 65,535. */
const pair = (place: Place): string => `${place >> 8}.${place & 255}`

/** All of them are in 172.16.0.0/16; the node with place 0 has the first. */
export const internalIp = (place: Place): string => `172.16.${pair(place + 1)}`

export const podCidr = (place: Place): string => `10.${pair(place)}.0/24`

const IMAGES = [
  ['kube-apiserver', 101_274_311],
  ['kube-controller-manager', 87_812_110],
  ['kube-proxy', 84_412_700],
  ['kube-scheduler', 63_051_080],
  ['etcd', 149_847_010],
  ['coredns/coredns', 18_562_039],
  ['pause', 268_403],
  ['local-path-provisioner', 19_432_220],
  ['local-path-helper', 3_054_710],
  ['kindnetd', 38_611_005],
] as const

/** A Node such as the kubelet of a kind node registers, with what the controller manager adds; some 8 KB of JSON. */
export const nodeObject = (place: Place): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    name: nodeName(place),
    labels: {
      'beta.kubernetes.io/arch': 'amd64',
      'beta.kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'kubernetes.io/hostname': nodeName(place),
      'kubernetes.io/os': 'linux',
    },
    annotations: {
      'kubeadm.alpha.kubernetes.io/cri-socket': 'unix:///run/containerd/containerd.sock',
      'node.alpha.kubernetes.io/ttl': '0',
      'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    },
  },
  spec: {
    podCIDR: podCidr(place),
    podCIDRs: [podCidr(place)],
    providerID: `kind://docker/kind/${nodeName(place)}`,
  },
  status: {
    addresses: addressesAt(place, place),
    capacity: RESOURCES,
    allocatable: RESOURCES,
    conditions: conditionsAt(0),
    daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
    images: IMAGES.map(([name, sizeBytes], i) => ({
      names: [`registry.k8s.io/${name}@sha256:${String(i).repeat(64)}`, `registry.k8s.io/${name}:v1.20.2`],
      sizeBytes,
    })),
    nodeInfo: {
      architecture: 'amd64',
      bootID: 'd2f0a3a5-4f0c-4d4c-8d55-1c7c2f2b7f11',
      containerRuntimeVersion: 'containerd://2.3.1',
      kernelVersion: '6.8.0-31-generic',
      kubeProxyVersion: 'v1.20.2',
      kubeletVersion: 'v1.20.2',
      machineID: String(place).padStart(32, '0'),
      operatingSystem: 'linux',
      osImage: 'Debian GNU/Linux 13 (trixie)',
      systemUUID: '7f5a2d3b-59d5-4a1e-a4c5-9d1f0a6c3a7e',
    },
  },
})

/** The addresses of one node; `at` is the place whose InternalIP it has. */
export const addressesAt = (place: Place, at: Place): object[] => [
  { type: 'InternalIP', address: internalIp(at) },
  { type: 'Hostname', address: nodeName(place) },
]

const RESOURCES = {
  cpu: '16',
  'ephemeral-storage': '263174212Ki',
  'hugepages-2Mi': '0',
  memory: '65842004Ki',
  pods: '110',
}

const CONDITIONS = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
] as const

/** What a kubelet says of its node at the given beat, five minutes each. */
export const conditionsAt = (beat: number): object[] =>
  CONDITIONS.map(([type, status, reason, message]) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    lastHeartbeatTime: new Date(Date.UTC(2026, 0, 1, 0, 5 * beat)).toISOString().replace('.000', ''),
  }))
