import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { delimiter } from 'node:path'
import { until } from '../conformance/until.ts'
import { startLogged } from './child.ts'

const KUBE_BIN_DIR = process.env['KUBE_BIN_DIR'] ?? '/var/cache/kube-cluster/bin'
const APISERVER = `${KUBE_BIN_DIR}/kube-apiserver`
const TOKEN = 'bench'

/** Why there can be no control plane on this machine, in a sentence; undefined when there can. */
export function lacksControlPlane(): string | undefined {
  if (!existsSync(APISERVER))
    return `Cannot start an API server: there is no ${APISERVER}; set KUBE_BIN_DIR to a folder with kube-apiserver`
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  if (folders.some(folder => existsSync(`${folder}/etcd`))) return undefined
  return 'Cannot start an API server: there is no etcd; sudo apt-get install etcd-server'
}

/** An API server and its etcd, and nothing else of Kubernetes: whoever has the token may do everything. */
export class ControlPlane {
  readonly kubeconfig: string
  readonly #folder: string
  readonly #url: string
  #authority: string | undefined
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 16 })

  /** `address`: one of this machine that is not on loopback; API servers want that. */
  private constructor(folder: string, address: string) {
    this.#folder = folder
    this.#url = `https://${address}:6443`
    this.kubeconfig = `${folder}/kubeconfig`
  }

  static async start(folder: string, address: string): Promise<ControlPlane> {
    mkdirSync(folder)
    const plane = new ControlPlane(folder, address)
    startLogged('etcd', ['--data-dir', `${folder}/etcd`], `${folder}/etcd.log`)
    startLogged(APISERVER, plane.#flags(address), `${folder}/kube-apiserver.log`)
    await until('the API server', () => plane.send('GET', '/readyz'), { deadline: 60_000, pause: 200 })
    plane.#writeKubeconfig()
    return plane
  }

  /** Sends a request and gives the text of the answer. Throws for a refusal. */
  async send(method: string, path: string, body?: object): Promise<string> {
    const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json'
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': type }
    // The API server makes its certificate, which is its own authority, when it starts.
    this.#authority ??= readFileSync(`${this.#folder}/apiserver.crt`, 'utf8')
    const options = { method, headers, agent: this.#agent, ca: this.#authority }
    return new Promise((resolve, reject) => {
      const sent = request(this.#url + path, options, response => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', chunk => (text += chunk))
        response.on('end', () => {
          const { statusCode = 0 } = response
          if (statusCode < 300) resolve(text)
          else reject(new Error(`${method} ${path} was answered ${statusCode}: ${text}`))
        })
      })
      sent.on('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }

  #flags(address: string): string[] {
    const folder = this.#folder
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(`${folder}/sa.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(`${folder}/sa.pub`, publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(`${folder}/tokens`, `${TOKEN},bench,1,system:masters\n`)
    return [
      '--etcd-servers=http://127.0.0.1:2379',
      `--advertise-address=${address}`,
      `--cert-dir=${folder}`,
      `--token-auth-file=${folder}/tokens`,
      '--authorization-mode=RBAC',
      // It would want the account of each pod, which a controller makes that is not there.
      '--disable-admission-plugins=ServiceAccount',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${folder}/sa.pub`,
      `--service-account-signing-key-file=${folder}/sa.key`,
      '--service-cluster-ip-range=10.255.0.0/16',
    ]
  }

  #writeKubeconfig(): void {
    const text = [
      `clusters: [{name: c, cluster: {server: "${this.#url}", certificate-authority: ${this.#folder}/apiserver.crt}}]`,
      `users: [{name: u, user: {token: ${TOKEN}}}]`,
      'contexts: [{name: x, context: {cluster: c, user: u}}]',
      'current-context: x',
    ]
    writeFileSync(this.kubeconfig, text.map(line => `${line}\n`).join(''))
  }
}
