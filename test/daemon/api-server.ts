import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Lab } from '../netns/lab.ts'

/** An object of the API, as far as the API itself looks into it. */
export interface ApiObject {
  readonly metadata: { readonly namespace?: string; readonly name: string }
}

/** What the process is told. */
export type ApiCommand =
  | { readonly kind: 'set' | 'delete'; readonly path: string; readonly object: ApiObject }
  /** Breaks off all connections and answers nobody, or is back. */
  | { readonly kind: 'away'; readonly isAway: boolean }

/** Where the objects of each kind are. */
const PATHS = {
  Node: '/api/v1/nodes',
  Namespace: '/api/v1/namespaces',
  Pod: '/api/v1/pods',
  NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
} as const
export type Kind = keyof typeof PATHS

const PORT = 6443

/** What the daemon asks of an API server, on the loopback of a lab's host: lists and watches of objects that the test sets. */
export class ApiServer {
  readonly kubeconfig: string
  readonly #child: ChildProcess
  readonly #answers: AsyncIterator<string>

  private constructor(kubeconfig: string, child: ChildProcess) {
    this.kubeconfig = kubeconfig
    this.#child = child
    this.#answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  }

  static async start(t: { teardown(handler: () => unknown): void }, lab: Lab): Promise<ApiServer> {
    const program = `${import.meta.dirname}/api-process.ts`
    const command = [`--net=${lab.path(lab.host)}`, process.execPath, program, `${PORT}`]
    const child = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(async () => {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    })
    const server = new ApiServer(`${lab.folder}/kubeconfig`, child)
    writeFileSync(server.kubeconfig, KUBECONFIG)
    await server.#answers.next()
    return server
  }

  set = (kind: Kind, object: ApiObject): Promise<void> =>
    this.#tell({ kind: 'set', path: PATHS[kind], object })
  delete = (kind: Kind, object: ApiObject): Promise<void> =>
    this.#tell({ kind: 'delete', path: PATHS[kind], object })
  goAway = (): Promise<void> => this.#tell({ kind: 'away', isAway: true })
  comeBack = (): Promise<void> => this.#tell({ kind: 'away', isAway: false })

  async #tell(command: ApiCommand): Promise<void> {
    this.#child.stdin!.write(`${JSON.stringify(command)}\n`)
    await this.#answers.next()
  }
}

const KUBECONFIG = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  'current-context': 'lab',
  contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
  clusters: [
    { name: 'lab', cluster: { server: `http://127.0.0.1:${PORT}`, 'insecure-skip-tls-verify': true } },
  ],
  users: [{ name: 'lab', user: {} }],
})
