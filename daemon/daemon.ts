import { FAMILIES, formatIp } from '../ipam/core/ip.ts'
import { Contact } from './contact.ts'
import { retryMs } from './core/backoff.ts'
import { Cluster, type Touched } from './core/cluster.ts'
import type { Report } from './core/health.ts'
import type { Log } from './core/log.ts'
import { type ClusterNode, type NodeName, parseNode } from './core/node.ts'
import type { Options } from './core/options.ts'
import { type Page, plain, serve, type ServerOptions } from './edge/http.ts'
import { openApi } from './edge/kubernetes.ts'
import { Metrics, type Sources } from './edge/metrics.ts'
import { isReady } from './edge/state.ts'
import { Health } from './health.ts'
import { Memory } from './memory.ts'
import type { OwnNode } from './own-node.ts'
import { makeParts, type Parts } from './parts.ts'
import { Loop, type Watcher } from './reconcile.ts'
import { Service } from './service.ts'
import type { RouteCount, Routes } from './routes.ts'
import { type Sink, watch } from './watch.ts'

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
  const service = new Service({ sysctlDir, isReady, called: call => metrics.called(call), log })
  await service.warmUp()
  signal.addEventListener('abort', () => void service.close())
  const parts = makeParts({
    ...started,
    cluster,
    now,
    service,
    swept: ({ freed }) => metrics.swept(freed),
  })
  const contact = new Contact(health, now)
  const metrics = new Metrics(started.version, sourcesOf(cluster, parts, contact), log)
  const loop = new Loop({ parts: parts.all, watcher: watcherOf(health, metrics), resyncMs, retryMs, now })
  using _ = serve({
    address: formatIp(options.listenAddress),
    port: options.listenPort,
    pages: pagesOf(health, metrics, parts.routes),
    log,
  })
  const sink = sinkOf({ cluster, nodeName, loop, own: parts.own, contact, metrics })
  const nodes = { api: openApi(options.kubeconfig), path: '/api/v1/nodes', parse: parseNode, sink, log, now }
  await Promise.all([watch(nodes, signal), loop.run(signal)])
  await service.close()
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

const sourcesOf = (cluster: Cluster, { routes, sweeper }: Parts, contact: Contact): Sources => ({
  addresses: () => sweeper.usage(),
  attachments: () => sweeper.attachments,
  routes: version => routes.count(version),
  nodes: () => cluster.size,
  unroutableNodes: () => routes.unreachable().size,
  apiSilence: () => contact.silence,
})

const pagesOf = (health: Health, metrics: Metrics, routes: Routes): ServerOptions['pages'] => ({
  '/healthz': () => pageOf(health.liveness()),
  '/readyz': () => pageOf(health.readiness({ routes: describeRoutes(routes) })),
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

/** Takes what the API server tells into the cluster, and has the loop put right what it touches. */
function sinkOf({ cluster, nodeName, loop, own, contact, metrics }: SinkParts): Sink<ClusterNode> {
  const tell = (name: NodeName, touched: Touched): void => {
    if (name === nodeName && touched.podCidrs.size + touched.addresses.size > 0) loop.everything()
    else loop.touched(touched)
  }
  return {
    synced: nodes => {
      cluster.replace(nodes)
      own.listed()
      loop.everything()
    },
    changed: node => tell(node.name, cluster.set(node)),
    deleted: ({ name }) => tell(name, cluster.delete(name)),
    heard: () => contact.heard(),
    failed: (error, retryInMs) => {
      contact.failed(error, retryInMs)
      metrics.failed('api')
    },
  }
}

interface SinkParts {
  readonly cluster: Cluster
  readonly nodeName: NodeName
  readonly loop: Loop
  readonly own: OwnNode
  readonly contact: Contact
  readonly metrics: Metrics
}
