import { formatIp } from '../ipam/core/ip.ts'
import { retryMs } from './core/backoff.ts'
import { Cluster } from './core/cluster.ts'
import type { Log } from './core/log.ts'
import { type ClusterNode, type NodeName, parseNode } from './core/node.ts'
import type { Options } from './core/options.ts'
import { plain, serve } from './edge/http.ts'
import { openApi } from './edge/kubernetes.ts'
import { Metrics } from './edge/metrics.ts'
import { Health } from './health.ts'
import { makeParts, type Parts } from './parts.ts'
import { Loop } from './reconcile.ts'
import { watch, type Sink } from './watch.ts'

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
  const parts = makeParts({ ...started, cluster, now, swept: ({ freed }) => metrics.swept(freed) })
  const api = new ApiContact(health, now)
  const metrics = new Metrics(started.version, sourcesOf(cluster, parts, api), log)
  const loop = new Loop({ parts: parts.all, watcher: watcherOf(health, metrics), resyncMs, retryMs, now })
  using _server = serve({
    address: formatIp(options.listenAddress),
    port: options.listenPort,
    pages: pagesOf(health, metrics, parts.routes),
    log,
  })
  const sink = sinkOf({ cluster, nodeName, loop, own: parts.own, api })
  await Promise.all([
    watch({ api: openApi(options.kubeconfig), path: '/api/v1/nodes', parse: parseNode, sink, log, now, signal }),
    loop.run(signal),
  ])
}

/** A clock that only goes forward, in milliseconds. */
const now = (): number => performance.now()

const watcherOf = (health: Health, metrics: Metrics): Watcher => ({
  succeeded: part => health.succeeded(part),
  waiting: (part, reason) => health.waiting(part, reason),
  failed: (part, problem) => {
    health.failed(part, problem)
    metrics.failed(part)
  },
  finished: (kind, milliseconds) => {
    health.finished()
    metrics.reconciled(kind, milliseconds)
  },
})

const sourcesOf = (cluster: Cluster, { routes, sweeper }: Parts, api: ApiContact): Sources => ({
  addresses: () => sweeper.usage(),
  attachments: () => sweeper.attachments,
  routes: version => routes.count(version),
  nodes: () => cluster.size,
  unroutableNodes: () => routes.unreachable().size,
  apiSilence: () => api.silence,
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
function sinkOf({ cluster, nodeName, loop, own, api }: SinkParts): Sink<ClusterNode> {
  return {
    synced: nodes => {
      cluster.replace(nodes)
      own.listed()
      loop.everything()
    },
    changed: node => {
      const touched = cluster.set(node)
      if (node.name === nodeName && !isEmpty(touched)) loop.everything()
      else loop.touched(touched)
    },
    deleted: name => {
      const touched = cluster.delete(name as NodeName)
      if (name === nodeName) loop.everything()
      else loop.touched(touched)
    },
    heard: () => api.heard(),
    failed: (error, retryInMs) => api.failed(error, retryInMs),
  }
}
