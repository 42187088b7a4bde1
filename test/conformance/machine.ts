import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { removeCgroup } from './cgroup.ts'

const DIST = `${import.meta.dirname}/../../dist`
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'
/** Longest that one command may take, in milliseconds. */
const DEADLINE = 60_000

/*
 * Fresh folders wherever a runtime or CNI keeps something, plugins where all runtimes look for them, and an /etc of
 * its own, where resolv.conf may have pointed into /run. It stands until its standard input closes, which the end of
 * the test does, however it ends; then the kernel ends all processes inside.
 */
const FURNISH = `
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/plugins /run/netns /run/lock /run/tmp
cp -a "$1/podwire" "$1/podwire-ipam" /usr/lib/cni/portmap /usr/lib/cni/loopback /run/plugins
for folder in /opt /var/lib /var/tmp /dev/shm; do mount -t tmpfs tmpfs $folder; done
cp -a /etc /run/etc
mount --bind /run/etc /etc
rm -rf /etc/cni /etc/resolv.conf
echo 'nameserver 192.0.2.53' >/etc/resolv.conf
mkdir -p /etc/cni/net.d /opt/cni /var/lib/cni
ln -s /run/plugins /opt/cni/bin
ip link set lo up
echo ready
read -r _ || true
`

const run = promisify(execFile)

interface Teardown {
  teardown(handler: () => Promise<void>): void
}

/** All that attachments may leave on the host. */
export interface Traces {
  /** Links but `lo`. */
  readonly links: readonly string[]
  /** Firewall rules that are one attachment's. */
  readonly rules: readonly string[]
  /** Masquerading chains, one for each subnet with attachments. */
  readonly chains: readonly string[]
  /** Reserved addresses, sorted. */
  readonly reserved: readonly string[]
}

/** What may stay when the last attachment has gone: the bridge. */
export const NOTHING_LEFT: Traces = { links: ['cbr0'], rules: [], chains: [], reserved: [] }

/**
 * A machine of a test's own to run a container runtime on: network, mount and process namespaces on this kernel.
 * What a runtime makes in it, this machine never sees, but for control groups.
 */
export class Machine {
  /** Parent of the control groups made here, from the root of their tree. */
  readonly cgroup = `/podwire-test-${randomBytes(4).toString('hex')}`
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /** A machine that lasts as long as the test. */
  static async start(t: Teardown): Promise<Machine> {
    const flags = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
    const shell = ['bash', '--norc', '-c', FURNISH, 'machine', DIST]
    const holder = spawn('unshare', [...flags, ...shell], {
      env: { PATH },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const machine = new Machine(holder)
    t.teardown(() => machine.#end())
    await Promise.race([once(holder.stdout, 'data'), once(holder, 'close').then(refuse)])
    return machine
  }

  async #end(): Promise<void> {
    this.#holder.stdin?.end()
    if (this.#holder.exitCode === null) await once(this.#holder, 'close')
    await removeCgroup(this.cgroup)
  }

  /** Where a file of the machine is for this process. */
  path = (path: string): string => `/proc/${this.#holder.pid}/root${path}`

  /** Writes a file on the machine. */
  write(path: string, content: string | Buffer): void {
    const here = this.path(path)
    mkdirSync(here.slice(0, here.lastIndexOf('/')), { recursive: true })
    writeFileSync(here, content)
  }

  /** Runs a command on the machine; answers its output, throws when it fails. */
  async run(...command: string[]): Promise<string> {
    const { stdout } = await run('nsenter', this.#enter(command), { env: ENVIRONMENT, timeout: DEADLINE })
    return stdout.trim()
  }

  /** Starts a command on the machine that lasts; answers what it will have said on stderr when it ends. */
  async launch(...command: string[]): Promise<string> {
    const stdio: ['ignore', 'ignore', 'pipe'] = ['ignore', 'ignore', 'pipe']
    const child = spawn('nsenter', this.#enter(command), { env: ENVIRONMENT, stdio })
    let said = ''
    child.stderr.on('data', chunk => (said += chunk))
    await once(child, 'close')
    return said
  }

  #enter(command: readonly string[]): string[] {
    const pid = this.#holder.pid
    return [`--target=${pid}`, '--net', '--mount', `--pid=/proc/${pid}/ns/pid_for_children`, '--', ...command]
  }

  /** What is there of attachments. Chains that portmap keeps for all containers do not count. */
  async traces(): Promise<Traces> {
    const links: { ifname: string }[] = JSON.parse(await this.run('ip', '-json', 'link'))
    const rules = await this.run('sh', '-c', 'nft list ruleset; iptables-save')
    const bookkeeping = ['-not', '-name', 'last_reserved_ip.*', '-not', '-name', 'lock']
    const names = await this.run('find', '/run/podwire', '-type', 'f', ...bookkeeping, '-printf', '%f\\n')
    return {
      links: links.map(link => link.ifname).filter(name => name !== 'lo'),
      rules: rules.match(/comment "(?!CNI portfwd)[^"]*"|chain spoof-\S+|CNI-DN-\w+/g) ?? [],
      chains: rules.match(/(?<=chain )leaving-\S+/g) ?? [],
      reserved: [...new Set(names.split('\n'))].filter(name => name !== '').sort(),
    }
  }
}

const ENVIRONMENT = { PATH, HOME: '/run/tmp', TMPDIR: '/run/tmp', CONTAINERS_CONF: '/run/containers.conf' }

function refuse(): never {
  throw new Error('Cannot make namespaces for a machine; stderr says why')
}
