import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { until } from '../conformance/until.ts'
import { type Answer, Lab, plugin } from '../netns/lab.ts'
import { ApiServer } from './api-server.ts'

interface Teardown {
  teardown(handler: () => unknown): void
}

/** Longer than a daemon waits before it asks again a server that did not answer. */
const PATIENCE = { deadline: 40_000 }

/** The files and processes of a node: /run/podwire is its own. */
const HOLD = 'mkdir -p /run/podwire && mount --bind "$1" /run/podwire && echo held && exec sleep infinity'

/** So small that addresses are soon given again. */
const NODE = {
  metadata: { name: 'n1', creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { podCIDRs: ['10.1.0.0/28', 'fd00:1::/64'] },
  status: { addresses: [{ type: 'InternalIP', address: '172.16.0.1' }] },
}

/** Of a pod, what its objects and its runtime know it by. */
export interface PodName {
  readonly namespace: string
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly uid?: string
}

/** A pod that is wired. */
export interface WiredPod extends Required<PodName> {
  readonly id: string
  readonly netns: string
  /** The first of IPv4, then of IPv6. */
  readonly addresses: readonly [string, string]
}

/** A node with the daemon as a cluster runs it, an API server for it, and a runtime that wires pods. */
export class EnforcingNode {
  readonly lab: Lab
  readonly api: ApiServer
  readonly #holder: ChildProcess
  #daemon: ChildProcess | undefined
  #pods = 0

  private constructor(lab: Lab, api: ApiServer, holder: ChildProcess) {
    this.lab = lab
    this.api = api
    this.#holder = holder
  }

  /** Starts all of it; answers when the node is ready for pods. */
  static async start(t: Teardown, ...options: readonly string[]): Promise<EnforcingNode> {
    const lab = new Lab(t)
    const api = await ApiServer.start(t, lab)
    mkdirSync(join(lab.folder, 'state'))
    const command = ['-m', '--propagation=slave', 'sh', '-c', HOLD, 'sh', join(lab.folder, 'state')]
    const holder = spawn('unshare', command, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    const node = new EnforcingNode(lab, api, holder)
    t.teardown(async () => {
      await node.stopDaemon()
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    })
    await lab.inside(lab.host, 'ip', 'address', 'add', '172.16.0.1/32', 'dev', 'lo')
    await api.set('Node', NODE)
    await node.startDaemon(...options)
    await node.ready()
    return node
  }

  /** Starts the daemon, and does not wait for it. */
  async startDaemon(...options: readonly string[]): Promise<void> {
    const { lab, api } = this
    const folders = [`--cni-bin-dir=${lab.folder}/bin`, `--cni-conf-dir=${lab.folder}/conf`]
    const own = [`--kubeconfig=${api.kubeconfig}`, '--node-name=n1', '--log-level=error', ...folders]
    const [file = '', ...args] = this.#onNode(resolve(import.meta.dirname, '../../dist/podwired'))
    this.#daemon = spawn(file, [...args, ...own, ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
  }

  /** Done when the daemon says that all is in order. */
  ready = (): Promise<unknown> =>
    until('the daemon to be ready', async () => (await this.page('readyz')).includes('\nready'), PATIENCE)

  /** A page that the daemon serves; empty when there is none. */
  page = (path: string): Promise<string> =>
    this.lab.inside(this.lab.host, 'curl', '-s', `http://127.0.0.1:9117/${path}`).catch(() => '')

  /** Ends the daemon, as a restart or a crash does. */
  async stopDaemon(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const daemon = this.#daemon
    this.#daemon = undefined
    if (daemon === undefined || daemon.exitCode !== null) return
    daemon.kill(signal)
    await once(daemon, 'exit')
  }

  /** Tells the API server of a pod, as kubelets do before they start it; `address` once it is wired. */
  announce = (pod: PodName, ...addresses: readonly string[]): Promise<void> =>
    this.api.set('Pod', podObject(pod, addresses))

  /** ADDs a pod as a container runtime does, and starts nothing in it. */
  async add(pod: PodName, netns = this.lab.namespace()): Promise<WiredPod> {
    this.#pods += 1
    const wired = { labels: {}, uid: uidOf(pod), ...pod, id: `c${this.#pods}`, netns }
    const { code, stdout, json } = await this.call('ADD', wired)
    if (code !== 0) throw new Error(`Cannot ADD ${pod.name}: ${stdout}`)
    const [first, second] = (json.ips as { address: string }[]).map(ip => ip.address.replace(/\/.*/, ''))
    return { ...wired, addresses: [first!, second!] }
  }

  /** A pod as the kubelet makes one: announced, wired, and its address told. */
  async run(pod: PodName): Promise<WiredPod> {
    await this.announce(pod)
    const wired = await this.add(pod)
    await this.announce(pod, ...wired.addresses)
    return wired
  }

  /** Calls the plugin by the launcher, as the conflist leads to it. */
  call(command: string, pod: Omit<WiredPod, 'addresses'>): Promise<Answer> {
    const { lab } = this
    const conflist = JSON.parse(readFileSync(`${lab.folder}/conf/10-podwire.conflist`, 'utf8')) as Conflist
    const config = { ...conflist.plugins[0], name: conflist.name, cniVersion: '1.0.0' }
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod.id,
      CNI_IFNAME: 'eth0',
      CNI_NETNS: lab.path(pod.netns),
      CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${pod.namespace};K8S_POD_NAME=${pod.name};K8S_POD_UID=${pod.uid}`,
    }
    return plugin(this.#onNode(`${lab.folder}/bin/podwire`), env, JSON.stringify(config))
  }

  /** DELs a pod, and tells the API server that it is gone. */
  async stop(pod: WiredPod): Promise<void> {
    const { code, stdout } = await this.call('DEL', pod)
    if (code !== 0) throw new Error(`Cannot DEL ${pod.name}: ${stdout}`)
    await this.api.delete('Pod', podObject(pod, []))
  }

  /** The connections that the node's kernel knows, as FROM > TO. */
  async connections(): Promise<string[]> {
    const program = `${import.meta.dirname}/connections-process.ts`
    const said = await this.lab.inside(this.lab.host, process.execPath, '--no-warnings', program)
    return said.trim().split('\n')
  }

  /** Whether the node has a file of the daemon's. */
  hasState = (path: string): boolean => existsSync(join(this.lab.folder, 'state', path))

  #onNode = (...command: readonly string[]): string[] => [
    'nsenter',
    `--mount=/proc/${this.#holder.pid}/ns/mnt`,
    `--net=${this.lab.path(this.lab.host)}`,
    `--wd=${process.cwd()}`,
    ...command,
  ]
}

interface Conflist {
  readonly name: string
  readonly plugins: readonly Readonly<Record<string, unknown>>[]
}

const uidOf = ({ namespace, name }: PodName): string => `uid-of-${namespace}-${name}`

const podObject = (pod: PodName, addresses: readonly string[]) => ({
  metadata: {
    namespace: pod.namespace,
    name: pod.name,
    labels: pod.labels ?? {},
    uid: pod.uid ?? uidOf(pod),
  },
  spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
  status: { phase: 'Running', podIPs: addresses.map(ip => ({ ip })) },
})
