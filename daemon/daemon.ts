import { messageOf } from '../cni/spec/error.ts'
import { FAMILIES, formatIp } from '../ipam/core/ip.ts'
import { Contact } from './contact.ts'
import type { Called } from './core/called.ts'
import { retryMs } from './core/backoff.ts'
import { Cluster } from './core/cluster.ts'
import type { Report } from './core/health.ts'
import type { Log } from './core/log.ts'
import type { NodeName } from './core/node.ts'
import type { Options } from './core/options.ts'
import type { DroppedPacket } from './core/policy/dropped-packet.ts'
import { listenToDrops } from './edge/drop-log.ts'
import { type Page, plain, serve, type ServerOptions } from './edge/http.ts'
import { openApi } from './edge/kubernetes.ts'
import { Metrics, type Sources } from './edge/metrics.ts'
import { enforcePolicies } from './edge/policy-state.ts'
import { isReady } from './edge/state.ts'
import { pluginWorld } from './edge/world.ts'
import { Health } from './health.ts'
import { Memory } from './memory.ts'
import { makeParts, type Parts } from './parts.ts'
import { Policy, type PolicyWatcher } from './policy/policy.ts'
import { Loop, type Watcher } from './reconcile.ts'
import { Service } from './service.ts'
import type { RouteCount, Routes } from './routes.ts'
import { hearNodes, watchAll } from './watches.ts'

/** What a daemon is started with. */
export interface DaemonOptions {
  readonly nodeName: NodeName
  readonly options: Options
  /** The folder that the plugin is installed from. */
  readonly source: string
  readonly version: string
  readonly log: Log
}

/**
 * Keeps one node's network until the signal: the API server tells of nodes, the loop puts right what they touch, the
 * health server says how it is. What it made stays when it ends: pods go on without it.
 */
export async function runDaemon(started: DaemonOptions, signal: AbortSignal): Promise<void> {
  const { nodeName, options, log } = started
  const resyncMs = options.resyncSeconds * 1000
  const cluster = new Cluster()
  const health = new Health(log, now, resyncMs)
  const { sysctlDir } = options
  enforcePolicies()
  const told = policyWatcherOf(() => ({ metrics, watcher, loop }))
  const policy = new Policy({
    ...started,
    options: options.policy,
    cluster,
    world: pluginWorld(log),
    watcher: told,
  })
  const called = (call: Called): void => metrics.called(call)
  const service = new Service({ sysctlDir, isReady, called, policies: policy, log })
  await service.warmUp()
  signal.addEventListener('abort', () => void service.close())
  const parts = makeParts({
    ...started,
    cluster,
    now,
    service,
    policy,
    swept: ({ freed }) => metrics.swept(freed),
  })
  const contact = new Contact(health, now)
  const metrics = new Metrics(started.version, sourcesOf(cluster, parts, contact, policy), log)
  const watcher = watcherOf(health, metrics)
  const loop = new Loop({ parts: parts.all, watcher, resyncMs, retryMs, now })
  using _drops = options.policy.log ? logDrops(policy, log) : undefined
  using _server = serve({
    address: formatIp(options.listenAddress),
    port: options.listenPort,
    pages: pagesOf(health, metrics, parts.routes, policy),
    log,
  })
  const hearing = { nodes: hearNodes({ cluster, nodeName, loop, own: parts.own }), policy: policy.heard }
  const api = openApi(options.kubeconfig)
  await Promise.all([watchAll({ api, hearing, contact, metrics, log, now }, signal), loop.run(signal)])
  await service.close()
}

/** Tells the log of packets that policies drop; without that, the daemon does all else. */
function logDrops(policy: Policy, log: Log): Disposable | undefined {
  const tell = (packet: DroppedPacket): void => {
    const { fields, message } = policy.report.lineOf(packet)
    log.info(fields, message)
  }
  try {
    return listenToDrops(tell, log)
  } catch (error) {
    log.warn({}, messageOf(error))
    return undefined
  }
}

/** A clock that only goes forward, in milliseconds. */
const now = (): number => performance.now()

const watcherOf = (health: Health, metrics: Metrics, memory = new Memory()): Watcher => ({
  succeeded: part => health.succeeded(part),
  waiting: (part, reason) => health.waiting(part, reason),
  failed: (part, problem) => {
    health.failed(part, problem)
    metrics.failed(part)
  },
  finished: (kind, milliseconds) => {
    if (kind === 'full') memory.tidy()
    health.finished()
    metrics.reconciled(kind, milliseconds)
  },
})

/** Those who are told of policies are made after them. */
const policyWatcherOf = (
  told: () => { readonly metrics: Metrics; readonly watcher: Watcher; readonly loop: Loop },
): PolicyWatcher => ({
  timed: (step, milliseconds) => told().metrics.policyTimed(step, milliseconds),
  cut: connections => told().metrics.cut(connections),
  unknown: () => told().metrics.unknownPod(),
  failed: problem => {
    told().watcher.failed('policy', problem)
    told().loop.everything()
  },
  listed: () => told().loop.everything(),
})

const sourcesOf = (
  cluster: Cluster,
  { routes, sweeper }: Parts,
  contact: Contact,
  policy: Policy,
): Sources => ({
  addresses: () => sweeper.usage(),
  attachments: () => sweeper.attachments,
  routes: version => routes.count(version),
  nodes: () => cluster.size,
  unroutableNodes: () => routes.unreachable().size,
  apiSilence: () => contact.silence,
  policy: () => policy.report.counts(),
  dropped: () => policy.report.dropped(),
})

const pagesOf = (
  health: Health,
  metrics: Metrics,
  routes: Routes,
  policy: Policy,
): ServerOptions['pages'] => ({
  '/healthz': () => pageOf(health.liveness()),
  '/readyz': () =>
    pageOf(health.readiness({ routes: describeRoutes(routes), policy: policy.report.describe() })),
  '/metrics': async () => ({ status: 200, contentType: metrics.contentType, text: await metrics.text() }),
})

const pageOf = ({ ok, text }: Report): Page => plain(ok ? 200 : 503, text)

function describeRoutes(routes: Routes): string {
  const counts = FAMILIES.map(({ version }) => routes.count(version))
  const sum = (key: keyof RouteCount): number => counts.reduce((total, count) => total + count[key], 0)
  const unreachable = [...routes.unreachable()].map(([node, reason]) => `; no way to ${node}: ${reason}`)
  return `${sum('present')} of ${sum('wanted')} present${unreachable.slice(0, MENTIONED).join('')}`
}

/** So many unreachable nodes are named; their number is a metric. */
const MENTIONED = 10
