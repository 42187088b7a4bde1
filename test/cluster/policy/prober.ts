import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TOOLS_IMAGE } from '../cluster.ts'
import { Conversation } from '../conversation.ts'
import { type Pod, podOf } from '../pods.ts'
import { run } from '../run.ts'
import type { Resource, Stage } from '../stage.ts'

/** The two ports at which every prober answers, over TCP and UDP. */
export const PORTS = [7001, 7002] as const
/** Where the program is in its pods, and what is in the volume there. */
export const PROBER = '/prober/prober'
const FILES = 'prober'
/** Where a prober writes down whom it has heard, a line each: protocol, port and address. */
export const HEARD = '/tmp/heard'

/** A pod that runs prober.c. */
export interface Prober extends Pod {
  readonly namespace: string
  /** Whether it is on the node's own network: what it sends the node sends. */
  readonly isHost: boolean
  /** `prober ask` in the pod: it costs more to start it there than to ask. */
  readonly questions: Conversation
}

/** How long a prober waits for answers, in milliseconds; one that is let through has it within a few. */
const PATIENCE_MS = 500

/** What a prober is to be. */
export interface ProberOptions {
  readonly namespace: string
  readonly name: string
  readonly node: string
  readonly labels?: Readonly<Record<string, string>>
  readonly isHost?: boolean
  /** Names that policies may call its ports by. */
  readonly ports?: readonly { readonly name: string; readonly port: number; readonly protocol: string }[]
  /** The port of the node that leads to its first port. */
  readonly hostPort?: number
  /** What its shell does at once, before it answers anybody. */
  readonly first?: string
}

/** Compiles the program. It is static: no image has to have anything for it. Throws when there is no C compiler. */
export async function makeProber(): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'prober-'))
  try {
    const compile =
      '$(command -v musl-gcc || echo cc) -std=c11 -Os -static -s -Wl,-z,noseparate-code -Wall -Wextra -Wpedantic -Werror -o "$1" "$2"'
    await run(['sh', '-c', compile, 'sh', `${folder}/prober`, `${import.meta.dirname}/prober.c`])
    return await readFile(`${folder}/prober`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Makes a namespace in which probers can run. */
export async function makeNamespace(
  stage: Stage,
  program: Buffer,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const items = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { test: 'podwire', ...labels } } },
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: FILES, namespace: name },
      binaryData: { prober: program.toString('base64') },
    },
  ]
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
  // The client would keep a second copy in an annotation, which is too long for one where there is no musl.
  await stage.cluster.kubectl(['apply', '--server-side', '--filename=-'], list)
}

export function proberPod(options: ProberOptions): object {
  const { namespace, name, node, labels, isHost = false, ports = [], hostPort, first = '' } = options
  const named = ports.map(({ name: its, port, protocol }) => ({ name: its, containerPort: port, protocol }))
  const opened =
    hostPort === undefined
      ? []
      : ['TCP', 'UDP'].map(protocol => ({ containerPort: PORTS[0], hostPort, protocol }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { test: 'podwire', ...labels } },
    spec: {
      nodeName: node,
      hostNetwork: isHost,
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      volumes: [{ name: FILES, configMap: { name: FILES, defaultMode: 0o755 } }],
      containers: [
        {
          name: 'main',
          image: TOOLS_IMAGE,
          imagePullPolicy: 'Never',
          command: [
            'sh',
            '-c',
            `${first}\nexec ${PROBER} serve ${namespace}/${name} ${PORTS.join(' ')} >${HEARD}`,
          ],
          ports: [...named, ...opened],
          volumeMounts: [{ name: FILES, mountPath: '/prober' }],
        },
      ],
    },
  }
}

/** Starts probers side by side; answers when their programs run, in the order of the options. */
export async function startProbers(stage: Stage, wanted: readonly ProberOptions[]): Promise<Prober[]> {
  await stage.apply(wanted.map(proberPod))
  return Promise.all(
    wanted.map(async ({ namespace, name }) => {
      await stage.wait('condition=Ready', 'pod', name, `--namespace=${namespace}`)
      return proberOf(stage, await stage.get('pod', name, `--namespace=${namespace}`))
    }),
  )
}

function proberOf({ cluster }: Stage, pod: Resource): Prober {
  const { name, namespace } = pod.metadata
  const exec = ['exec', '-i', name, `--namespace=${namespace}`, '--', PROBER, 'ask', `${PATIENCE_MS}`]
  const questions = new Conversation(() => cluster.startKubectl(exec))
  return { ...podOf(pod), namespace, isHost: pod.spec.hostNetwork === true, questions }
}

/** How a prober calls itself. */
export const nameOf = ({ namespace, name }: Pick<Prober, 'namespace' | 'name'>): string =>
  `${namespace}/${name}`

/** Runs a shell script in a prober's pod; answers its stdout. */
export const inProber = (stage: Stage, { namespace, name }: Prober, script: string): Promise<string> =>
  stage.kubectl('exec', name, `--namespace=${namespace}`, '--', 'sh', '-c', script)
