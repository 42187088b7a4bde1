import type { Test } from 'tap'
import { IMAGE, imageArchive } from './image.ts'
import { Machine } from './machine.ts'
import { CONTAINER_TOOLS, lacksForContainers } from './requirements.ts'
import { until } from './until.ts'

const FOLDER = '/run/containerd-test'
const SETTINGS = `
version = 2
root = "${FOLDER}/root"
state = "${FOLDER}/state"
[grpc]
address = "${FOLDER}/socket"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${IMAGE}"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
`

/** Why there can be no containerd, as tap's `skip`. */
export const lacksContainerd = (): string | false =>
  lacksForContainers({ containerd: 'containerd', ctr: 'containerd', ...CONTAINER_TOOLS })

/** A containerd on a machine of its own. */
export interface Containerd {
  readonly machine: Machine
  /** Where it listens, for this process. */
  readonly socket: string
  /** The words that begin a command of its own client. */
  readonly client: readonly string[]
  /** Runs its own client; answers what that says. */
  readonly ctr: (...args: string[]) => Promise<string>
  /** Runs a command in a running container. */
  readonly inside: (id: string, ...command: string[]) => Promise<string>
}

/** Starts containerd with a conflist and the image; `namespace` is what its client works in. */
export async function startContainerd(t: Test, conflist: unknown, namespace: string): Promise<Containerd> {
  const machine = await Machine.start(t)
  machine.write('/etc/cni/net.d/10-pods.conflist', JSON.stringify(conflist))
  machine.write(`${FOLDER}/config.toml`, SETTINGS)
  machine.write(`${FOLDER}/image.tar`, imageArchive())
  const client = ['ctr', `--address=${FOLDER}/socket`, `--namespace=${namespace}`]
  const ctr = (...args: string[]) => machine.run(...client, ...args)
  const daemon = machine.launch('containerd', `--config=${FOLDER}/config.toml`)
  await Promise.race([until('containerd', () => ctr('version')), daemon.then(refuse)])
  await ctr('image', 'import', '--snapshotter=native', `${FOLDER}/image.tar`)
  const inside = (id: string, ...command: string[]) => ctr('task', 'exec', '--exec-id=test', id, ...command)
  return { machine, socket: machine.path(`${FOLDER}/socket`), client, ctr, inside }
}

function refuse(said: string): never {
  throw new Error(`containerd ended: ${said}`)
}
