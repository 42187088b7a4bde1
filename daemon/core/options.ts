import { type Cidr, type Ip, networkOf, parseCidr, parseIp } from '../../ipam/core/ip.ts'
import { all, gather, type Given, helpOf, one, PATH, type Row, SWITCH } from './arguments.ts'
import { type NodeName, parseNodeName } from './node.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What both of the daemon's commands are told. Folders and files are absolute paths. */
export interface Options {
  /** The file that says how to reach the API server; undefined inside of a pod, which needs none. */
  readonly kubeconfig: string | undefined
  /** Networks outside of the cluster that see pods by their own addresses; host bits cleared. */
  readonly noMasquerade: readonly Cidr[]
  readonly listenAddress: Ip
  readonly listenPort: number
  readonly cniBinDir: string
  readonly cniConfDir: string
  readonly sysctlDir: string
  /** From one look at everything to the next. */
  readonly resyncSeconds: number
  readonly logLevel: LogLevel
  readonly policy: PolicyOptions
}

/** How NetworkPolicies are enforced. */
export interface PolicyOptions {
  /** What a pod is at its start as long as the API server has not told of it. */
  readonly fail: 'closed' | 'open'
  /** Whether connections that a policy no longer allows are cut. */
  readonly strict: boolean
  /** Whether a sample of dropped packets is logged. */
  readonly log: boolean
}

/** What `podwired` is asked to do. */
export type Command =
  | { readonly kind: 'run'; readonly nodeName: NodeName; readonly options: Options }
  | { readonly kind: 'plugin-only'; readonly options: Options }
  /** `wait`: stay and say that it is done, until told to end; a DaemonSet starts again what ends. */
  | { readonly kind: 'uninstall'; readonly wait: boolean; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }

const numberFrom = (min: number, max: number) => ({
  allowed: `a whole number from ${min} to ${max}`,
  parse: (text: string) =>
    /^[1-9]\d{0,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined,
})

export const NODE_NAME: Row<NodeName> = {
  flag: '--node-name',
  value: 'NAME',
  help: 'this node, as the API server calls it (default: NODE_NAME of the environment)',
  allowed: 'the name of a Node, such as "worker-1.example.com"',
  parse: parseNodeName,
}
export const KUBECONFIG: Row<string> = {
  flag: '--kubeconfig',
  value: 'FILE',
  help: "how to reach the API server (default: the pod's service account)",
  ...PATH,
}
const NO_MASQUERADE: Row<Cidr> = {
  flag: '--no-masquerade-cidr',
  value: 'CIDR',
  help: 'a network outside of the cluster that sees pods as they are; repeatable',
  isRepeatable: true,
  allowed: 'a network such as 10.0.0.0/8 or fd00::/8',
  parse: text => {
    const cidr = parseCidr(text)
    return cidr && networkOf(cidr)
  },
}
const LISTEN_ADDRESS: Row<Ip> = {
  flag: '--listen-address',
  value: 'ADDRESS',
  help: 'where /healthz, /readyz and /metrics are served',
  otherwise: '127.0.0.1',
  allowed: 'an IPv4 or IPv6 address',
  parse: parseIp,
}
const LISTEN_PORT: Row<number> = {
  flag: '--listen-port',
  value: 'PORT',
  help: 'the port there',
  otherwise: '9117',
  ...numberFrom(1, 65_535),
}
const CNI_BIN_DIR: Row<string> = {
  flag: '--cni-bin-dir',
  value: 'FOLDER',
  help: 'where the plugins are installed',
  otherwise: '/opt/cni/bin',
  ...PATH,
}
const CNI_CONF_DIR: Row<string> = {
  flag: '--cni-conf-dir',
  value: 'FOLDER',
  help: 'where 10-podwire.conflist is written',
  otherwise: '/etc/cni/net.d',
  ...PATH,
}
const SYSCTL_DIR: Row<string> = {
  flag: '--sysctl-dir',
  value: 'FOLDER',
  help: "the node's /proc/sys, wherever it can be written",
  otherwise: '/proc/sys',
  ...PATH,
}
const RESYNC_SECONDS: Row<number> = {
  flag: '--resync-seconds',
  value: 'N',
  help: 'look at everything that often, even if nothing is heard',
  otherwise: '60',
  ...numberFrom(1, 86_400),
}
const LOG_LEVEL: Row<LogLevel> = {
  flag: '--log-level',
  value: 'LEVEL',
  help: `the least that is logged: ${LOG_LEVELS.join(', ')}`,
  otherwise: 'info',
  allowed: `one of ${LOG_LEVELS.join(', ')}`,
  parse: text => LOG_LEVELS.find(level => level === text),
}
const POLICY_FAIL: Row<PolicyOptions['fail']> = {
  flag: '--policy-fail',
  value: 'HOW',
  help: 'what a pod is that the API server has not told of yet: closed or open',
  otherwise: 'closed',
  allowed: 'closed or open',
  parse: text => (text === 'closed' || text === 'open' ? text : undefined),
}
const POLICY_STRICT: Row<boolean> = {
  flag: '--policy-strict',
  help: 'cut connections that a NetworkPolicy no longer allows',
  otherwise: 'true',
  ...SWITCH,
}
const POLICY_LOG: Row<boolean> = {
  flag: '--policy-log',
  help: 'log a sample of the packets that NetworkPolicies drop',
  otherwise: 'false',
  ...SWITCH,
}

const ROWS: readonly Row<unknown>[] = [
  NODE_NAME,
  KUBECONFIG,
  NO_MASQUERADE,
  LISTEN_ADDRESS,
  LISTEN_PORT,
  CNI_BIN_DIR,
  CNI_CONF_DIR,
  SYSCTL_DIR,
  RESYNC_SECONDS,
  POLICY_FAIL,
  POLICY_STRICT,
  POLICY_LOG,
  LOG_LEVEL,
]

/** The text of `podwired --help`. */
export const HELP = `podwired: the node daemon of Podwire. It installs the CNI plugin, routes to the pods of other nodes, masquerades
what leaves the cluster, and writes the network config when all of that is in force.

  podwired [OPTION...]             do so until SIGTERM, which leaves all of it as it is
  podwired --plugin-only           carry out the calls of the plugin until SIGTERM, and do nothing else
  podwired uninstall [OPTION...]   take all of it off this node; with --wait stay, and serve /readyz when it is done
  podwired --version               print the version
  podwired --help                  print this

${ROWS.map(helpOf).join('')}`

/**
 * Reads the command line, and NODE_NAME of the environment. A value follows its option after "=" or as the next
 * argument. Throws a sentence that names the option and says what is allowed.
 */
export function parseOptions(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Command {
  if (argv.includes('--help')) return { kind: 'help' }
  if (argv.includes('--version')) return { kind: 'version' }
  const isUninstall = argv[0] === 'uninstall'
  const isPluginOnly = !isUninstall && argv.includes('--plugin-only')
  const wait = isUninstall && argv.includes('--wait')
  const words = isUninstall ? ['uninstall', '--wait'] : ['--plugin-only']
  const given = gather(
    argv.filter(argument => !words.includes(argument)),
    ROWS,
    'podwired',
  )
  const options = optionsOf(given)
  const [nodeName] = all(NODE_NAME, given, env['NODE_NAME'])
  if (isUninstall) return { kind: 'uninstall', wait, options }
  if (isPluginOnly) return { kind: 'plugin-only', options }
  if (nodeName !== undefined) return { kind: 'run', nodeName, options }
  throw new Error('Cannot start: this node has no name; give --node-name=NAME or set NODE_NAME')
}

function optionsOf(given: Given): Options {
  return {
    kubeconfig: all(KUBECONFIG, given)[0],
    noMasquerade: all(NO_MASQUERADE, given),
    listenAddress: one(LISTEN_ADDRESS, given),
    listenPort: one(LISTEN_PORT, given),
    cniBinDir: one(CNI_BIN_DIR, given),
    cniConfDir: one(CNI_CONF_DIR, given),
    sysctlDir: one(SYSCTL_DIR, given),
    resyncSeconds: one(RESYNC_SECONDS, given),
    logLevel: one(LOG_LEVEL, given),
    policy: {
      fail: one(POLICY_FAIL, given),
      strict: one(POLICY_STRICT, given),
      log: one(POLICY_LOG, given),
    },
  }
}
