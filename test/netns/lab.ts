import { execFile, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { installPlugin, IS_FAST, LabDaemon } from './lab-daemon.ts'

/** The program under test, as `make build` leaves it. */
export const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

/** How one call of a plugin ended. */
export interface Answer {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** What stdout holds, when it holds anything. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into it freely
  readonly json: any
}

/** What a runtime says in one call, besides the config. */
export interface Attach {
  readonly id: string
  /** Name of the container's namespace. */
  readonly netns: string
  readonly ifname?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A container that the plugin has wired. */
export interface Pod extends Attach {
  /** What the ADD answered. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into it freely
  readonly result: any
  /** Its addresses, without prefix lengths. */
  readonly addresses: readonly string[]
}

interface Teardown {
  teardown(handler: () => void | Promise<void>): void
}

const run = promisify(execFile)

/**
 * A node of a test's own: a network namespace that plays the host, others that play containers, a folder for state.
 * Runs inside test/isolated, and everything goes when the test ends.
 */
export class Lab {
  readonly host: string
  readonly folder: string
  readonly #namespaces: string[] = []
  #pods = 0
  #counters = 0
  #daemon: LabDaemon | undefined
  readonly #isFast: boolean

  /** `isFast`: calls go by the launcher to a daemon. */
  constructor(t: Teardown, isFast = IS_FAST) {
    this.#isFast = isFast
    this.folder = mkdtempSync('/run/lab-')
    this.host = this.namespace('host')
    t.teardown(async () => {
      await this.#daemon?.stop()
      for (const name of this.#namespaces) execFileSync('ip', ['netns', 'del', name])
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** A new namespace with a name of its own; `lo` is up. */
  namespace(prefix = 'pod'): string {
    const name = `${prefix}-${randomBytes(4).toString('hex')}`
    execFileSync('ip', ['netns', 'add', name])
    execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up'])
    this.#namespaces.push(name)
    return name
  }

  /** Removes a namespace before the test ends, as a runtime does with a dead container's. */
  remove(name: string): void {
    execFileSync('ip', ['netns', 'del', name])
    this.#namespaces.splice(this.#namespaces.indexOf(name), 1)
  }

  /** A namespace's path, for CNI_NETNS. */
  path = (name: string): string => `/run/netns/${name}`

  /** A network config: a bridge with addresses of its own, and whatever `more` says. */
  config(
    more: Readonly<Record<string, unknown>> = {},
    ipam: Readonly<Record<string, unknown>> | null = {},
  ): Config {
    const addresses = {
      type: 'podwire-ipam',
      dataDir: `${this.folder}/ipam`,
      ranges: [[{ subnet: '10.1.0.0/24' }]],
      ...ipam,
    }
    return {
      cniVersion: '1.1.0',
      name: 'lab',
      type: 'podwire',
      isDefaultGateway: true,
      ...(ipam === null ? {} : { ipam: addresses }),
      ...more,
    }
  }

  /** Calls the plugin in the host's namespace, as a container runtime does. */
  async call(
    command: string,
    config: unknown,
    attach?: Attach,
    program = PODWIRE,
    ...args: string[]
  ): Promise<Answer> {
    const env = {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_PATH: '/usr/lib/cni',
      ...(attach === undefined ? {} : this.#attachment(attach)),
    }
    const input = JSON.stringify(config)
    const start = this.#isFast && program === PODWIRE ? await this.#launch() : [program]
    return plugin(['nsenter', `--net=${this.path(this.host)}`, ...start, ...args], env, input)
  }

  /** The command that starts the launcher where the daemon is. */
  async #launch(): Promise<string[]> {
    return [...(await this.daemon.enter()), join(this.folder, 'bin/podwire')]
  }

  /** The daemon on the host, which comes when it is first asked for. */
  get daemon(): LabDaemon {
    if (this.#daemon === undefined) installPlugin(this.folder)
    this.#daemon ??= new LabDaemon(this.folder, this.path(this.host))
    return this.#daemon
  }

  /** What /run/podwire is for the calls: all labs of a test share it, unless each has a daemon. */
  get run(): string {
    return this.#isFast ? dirname(this.daemon.socket) : '/run/podwire'
  }

  /** ADDs a new container, of which `attach` may say more. Throws when the ADD fails. */
  async attach(config: Config, attach: Partial<Attach> = {}): Promise<Pod> {
    this.#pods += 1
    const pod = { id: `c${this.#pods}`, ...attach, netns: attach.netns ?? this.namespace() }
    const { code, stdout, json } = await this.call('ADD', config, pod)
    if (code !== 0) throw new Error(`Cannot attach ${pod.id}: ${stdout}`)
    const ips: { address: string }[] = json.ips ?? []
    return { ...pod, result: json, addresses: ips.map(ip => ip.address.replace(/\/.*/, '')) }
  }

  #attachment({ id, netns, ifname = 'eth0', env }: Attach): Record<string, string> {
    const path = netns === '' || netns.startsWith('/') ? netns : this.path(netns)
    return { CNI_CONTAINERID: id, CNI_NETNS: path, CNI_IFNAME: ifname, ...env }
  }

  /** Runs a command inside a namespace; answers its output, throws when it fails. */
  async inside(name: string, ...command: string[]): Promise<string> {
    const { stdout } = await run('nsenter', [`--net=${this.path(name)}`, ...command])
    return stdout
  }

  /** Whether a single ping is answered within a second. */
  async pings(from: string, to: string): Promise<boolean> {
    return this.inside(from, 'ping', '-n', '-c1', '-W1', to).then(
      () => true,
      () => false,
    )
  }

  /** `ip -json` inside a namespace. */
  // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into it freely
  async ip(name: string, ...args: string[]): Promise<any[]> {
    const out = await this.inside(name, 'ip', '-json', '-details', ...args)
    return out.trim() === '' ? [] : JSON.parse(out)
  }

  /** Counts packets that match an nft expression at a hook, from now on; answers how many there were. */
  async count(name: string, hook: string, match: string): Promise<() => Promise<number>> {
    this.#counters += 1
    const table = `inet counter${this.#counters}`
    const chain = `add chain ${table} seen { type filter hook ${hook} priority 300; }`
    await this.inside(name, 'nft', `add table ${table}; ${chain}; add rule ${table} seen ${match} counter`)
    return async () => {
      const listing = await this.inside(name, 'nft', 'list', 'table', 'inet', table.slice(5))
      return Number(/counter packets (\d+)/.exec(listing)?.[1])
    }
  }

  /** The host's links with their addresses, rules, and files: what a refused ADD must leave as it is. */
  async state(): Promise<unknown> {
    const links = (await this.ip(this.host, 'address')).map(({ ifname, address, master, mtu, addr_info }) => {
      const addresses = addr_info.map(
        (a: { local: string; prefixlen: number }) => `${a.local}/${a.prefixlen}`,
      )
      return { ifname, address, master, mtu, addresses: addresses.sort() }
    })
    const rules = await this.inside(this.host, 'nft', 'list', 'ruleset')
    return { links, rules: rules.split('\n'), reservations: (await this.traces()).reservations }
  }

  /** All that ADD may leave on the host: links but `lo`, owned rules, reservations. */
  async traces(): Promise<{ links: string[]; rules: string[]; reservations: string[] }> {
    const links = (await this.ip(this.host, 'link'))
      .map(link => link.ifname as string)
      .filter(name => name !== 'lo')
    const rules = (await this.inside(this.host, 'nft', 'list', 'ruleset')).match(
      /comment "[^"]*"|chain (spoof|leaving|within)-\S+/g,
    )
    const find = `find ${this.folder}/ipam -type f -not -name 'last_reserved_ip.*' -not -name lock 2>/dev/null || true`
    const files = await this.inside(this.host, 'sh', '-c', find)
    return {
      links: links.sort(),
      rules: rules ?? [],
      reservations: files
        .split('\n')
        .filter(line => line !== '')
        .sort(),
    }
  }
}

/** A network config that a test may read keys of. */
export type Config = Readonly<Record<string, unknown>>

/** Starts a program with an input; answers when it has ended. */
export function plugin(command: readonly string[], env: NodeJS.ProcessEnv, input: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = command
    const child = spawn(file, args, { env, stdio: 'pipe' })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => (output.stdout += chunk))
    child.stderr.on('data', chunk => (output.stderr += chunk))
    child.stdin.on('error', () => {})
    child.on('error', reject)
    child.on('close', code => {
      resolve({ code, ...output, json: output.stdout === '' ? undefined : JSON.parse(output.stdout) })
    })
    child.stdin.end(input)
  })
}
