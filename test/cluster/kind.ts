import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, type Families, TOOLS_IMAGE } from './cluster.ts'
import { run, succeeds } from './run.ts'

/** A name of its own, so that no cluster of somebody's is touched. */
const NAME = 'podwire-test'
const CONTROL_PLANE = `${NAME}-control-plane`
/** The container that stands for the world outside, on the network that kind gives its nodes. */
const OUTSIDE = `${NAME}-outside`
const NETWORK = 'kind'

/** The first time docker fetches kind's node image. */
const UP_MS = 900_000

const TOOLS = `FROM docker.io/library/alpine:3.22
RUN apk add --no-cache busybox-extras socat netcat-openbsd bind-tools curl iproute2 iputils-ping
`

/** Clusters that `kind` makes with Docker. */
export const kindCluster: Cluster = {
  up: async (nodes, families) => {
    await down()
    await run(['docker', 'build', '--quiet', '--tag', TOOLS_IMAGE, '-'], { input: TOOLS, patienceMs: UP_MS })
    await create(configOf(nodes, families))
    await run(['kind', 'load', 'docker-image', TOOLS_IMAGE, '--name', NAME])
    await run(['docker', 'run', '--detach', '--rm', `--name=${OUTSIDE}`, `--network=${NETWORK}`, ...IDLE])
  },
  down,
  // The node's own kubectl: the machine may have none.
  kubectl: (args, input = '') => run(kubectl(args), { input }),
  startKubectl: args => {
    const [command, ...rest] = kubectl(args)
    return spawn(command!, rest)
  },
  inNode: (node, command) => run([...inContainer(node), ...command]),
  load: async archive => void (await run(['kind', 'load', 'image-archive', archive, '--name', NAME])),
  stopNode: async node => void (await run(['docker', 'kill', node])),
  startNode: async node => void (await run(['docker', 'start', node])),
  logs: node => run([...inContainer(node), 'journalctl', '--no-pager', '-u', 'kubelet', '-u', 'containerd']),
  outside: command => run([...inContainer(OUTSIDE), ...command]),
  outsideAddresses: async () => {
    const text = await run(['docker', 'inspect', OUTSIDE])
    const [container] = JSON.parse(text) as [{ NetworkSettings: { Networks: Record<string, Endpoint> } }]
    const { IPAddress, GlobalIPv6Address } = container.NetworkSettings.Networks[NETWORK]!
    return { 4: IPAddress, ...(GlobalIPv6Address === '' ? {} : { 6: GlobalIPv6Address }) }
  },
}

/** What docker tells of a container's place in a network. */
interface Endpoint {
  readonly IPAddress: string
  readonly GlobalIPv6Address: string
}

const IDLE = [TOOLS_IMAGE, 'sleep', 'infinity']
const inContainer = (name: string, ...options: readonly string[]): string[] => [
  'docker',
  'exec',
  ...options,
  name,
]

const kubectl = (args: readonly string[]): string[] => [
  ...inContainer(CONTROL_PLANE, '-i'),
  'kubectl',
  '--kubeconfig=/etc/kubernetes/admin.conf',
  ...args,
]

/** kind reads YAML, of which JSON is a part. */
const configOf = (nodes: number, families: Families): string =>
  JSON.stringify({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    networking: {
      disableDefaultCNI: true,
      ipFamily: families.length === 2 ? 'dual' : `ipv${families[0]}`,
    },
    nodes: Array.from({ length: nodes }, (_, i) => ({ role: i === 0 ? 'control-plane' : 'worker' })),
  })

async function create(config: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'kind-'))
  try {
    await writeFile(`${folder}/config`, config)
    const files = [`--config=${folder}/config`, `--kubeconfig=${folder}/kubeconfig`]
    await run(['kind', 'create', 'cluster', `--name=${NAME}`, ...files], { patienceMs: UP_MS })
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function down(): Promise<void> {
  await succeeds(['docker', 'rm', '--force', OUTSIDE])
  await run(['kind', 'delete', 'cluster', `--name=${NAME}`])
}
