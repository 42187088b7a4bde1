import { readdirSync } from 'node:fs'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { messageOf } from '../../cni/spec/error.ts'
import { type Family, FAMILIES } from '../../ipam/core/ip.ts'
import type { Work } from '../core/agenda.ts'
import { type PartName, PARTS } from '../core/health.ts'
import type { Log } from '../core/log.ts'
import type { Called } from '../core/called.ts'
import type { DroppedPackets, PolicyCounts } from '../core/policy/counts.ts'
import type { AddressUsage } from '../core/usage.ts'

/** Where values come from that are only worth looking up when somebody asks. Each may throw: then it is left out. */
export interface Sources {
  readonly addresses: () => readonly AddressUsage[]
  readonly attachments: () => number
  readonly routes: (version: Family['version']) => { readonly wanted: number; readonly present: number }
  /** Nodes of the cluster, this one included. */
  readonly nodes: () => number
  /** Nodes to whose pods there is no way. */
  readonly unroutableNodes: () => number
  /** Seconds since the API server was last heard; undefined before it ever was. */
  readonly apiSilence: () => number | undefined
  readonly policy: () => PolicyCounts
  /** Packets that NetworkPolicies dropped, by pod of this node. */
  readonly dropped: () => Iterable<DroppedPackets>
}

/** From a round that found nothing to do (a millisecond) to the first one in a cluster of thousands. */
const DURATION_BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]

/** From one pod's change to all policies of a large cluster. */
const POLICY_BUCKETS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 1, 5]

/** From a VERSION to calls that wait for others. */
const CALL_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1, 10]

/** What Prometheus is told. The daemon's numbers begin with `podwire_`; those of the process have their usual names. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #log: Log
  readonly #reconciles: Counter<'kind'>
  readonly #durations: Histogram<'kind'>
  readonly #errors: Counter<'part'>
  readonly #sweeps: Counter
  readonly #swept: Counter
  readonly #calls: Histogram<'command' | 'code'>
  readonly #policySteps: Histogram<'step'>
  readonly #cut: Counter
  readonly #unknownPods: Counter

  constructor(version: string, sources: Sources, log: Log) {
    this.#log = log
    this.#reconciles = this.#counter('podwire_reconciles_total', 'Rounds of the reconcile loop', ['kind'])
    this.#durations = new Histogram({
      name: 'podwire_reconcile_duration_seconds',
      help: 'How long rounds of the reconcile loop took',
      labelNames: ['kind'],
      buckets: DURATION_BUCKETS,
      registers: [this.#registry],
    })
    this.#calls = new Histogram({
      name: 'podwire_call_duration_seconds',
      help: 'How long CNI calls took that came by the socket; code is that of the process, 0 for success',
      labelNames: ['command', 'code'],
      buckets: CALL_BUCKETS,
      registers: [this.#registry],
    })
    this.#errors = this.#counter('podwire_errors_total', 'Failures, by the part that failed', ['part'])
    this.#policySteps = new Histogram({
      name: 'podwire_policy_duration_seconds',
      help: 'How long it took to compile what has changed of NetworkPolicies, and to put it in force',
      labelNames: ['step'],
      buckets: POLICY_BUCKETS,
      registers: [this.#registry],
    })
    this.#cut = this.#counter(
      'podwire_policy_cut_connections_total',
      'Connections cut because no NetworkPolicy allows them any more',
    )
    this.#unknownPods = this.#counter(
      'podwire_policy_unknown_pods_total',
      'Pods that were wired before the API server told of them',
    )
    this.#sweeps = this.#counter('podwire_sweeps_total', 'Sweeps for attachments whose namespace is gone')
    this.#swept = this.#counter('podwire_swept_attachments_total', 'Attachments that sweeps removed')
    // What has not happened yet is 0, so that its first increase is one.
    for (const kind of ['full', 'change'] as const) {
      this.#reconciles.inc({ kind }, 0)
      this.#durations.zero({ kind })
    }
    for (const step of ['compile', 'apply'] as const) this.#policySteps.zero({ step })
    for (const part of PARTS) this.#errors.inc({ part }, 0)
    this.#gauge('podwire_build_info', 'Always 1; the version is in the label', ['version'], set =>
      set(1, { version }),
    )
    this.#watch(sources)
    this.#watchProcess()
  }

  /** Prometheus' text format. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** Reads all values and writes them down. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  reconciled(kind: Work['kind'], milliseconds: number): void {
    this.#reconciles.inc({ kind })
    this.#durations.observe({ kind }, milliseconds / 1000)
  }

  failed(part: PartName): void {
    this.#errors.inc({ part })
  }

  /** A sweep is over, and has removed so many attachments. */
  swept(attachments: number): void {
    this.#sweeps.inc()
    this.#swept.inc(attachments)
  }

  called({ command, code, milliseconds }: Called): void {
    this.#calls.observe({ command, code }, milliseconds / 1000)
  }

  policyTimed(step: 'compile' | 'apply', milliseconds: number): void {
    this.#policySteps.observe({ step }, milliseconds / 1000)
  }

  /** So many connections were cut. */
  cut(connections: number): void {
    this.#cut.inc(connections)
  }

  unknownPod(): void {
    this.#unknownPods.inc()
  }

  #watch(sources: Sources): void {
    const { addresses, routes } = sources
    this.#perFamily('podwire_addresses_used', 'Addresses that pods of this node hold', () =>
      addresses().map(({ family, used }) => [family, used]),
    )
    this.#perFamily('podwire_addresses_free', 'Addresses left for pods of this node', () =>
      addresses().map(({ family, free }) => [family, Number(free)]),
    )
    this.#perFamily('podwire_routes_wanted', "Routes to other nodes' pods that there should be", () =>
      FAMILIES.map(family => [family, routes(family.version).wanted]),
    )
    this.#perFamily('podwire_routes_present', 'Of the wanted routes, those that are there', () =>
      FAMILIES.map(family => [family, routes(family.version).present]),
    )
    this.#gauge('podwire_attachments', 'Attachments on this node', [], set => set(sources.attachments()))
    this.#gauge('podwire_nodes', 'Nodes of the cluster', [], set => set(sources.nodes()))
    this.#gauge('podwire_nodes_unroutable', 'Nodes to whose pods this node has no way', [], set =>
      set(sources.unroutableNodes()),
    )
    this.#gauge('podwire_api_silence_seconds', 'Since the API server was last heard', [], set => {
      const silence = sources.apiSilence()
      if (silence !== undefined) set(silence)
    })
    this.#watchPolicy(sources)
  }

  #watchPolicy({ policy, dropped }: Sources): void {
    this.#gauge('podwire_policies', 'NetworkPolicies of the cluster', [], set => set(policy().policies))
    this.#gauge('podwire_policy_pods', 'Pods of this node that NetworkPolicies isolate', [], set =>
      set(policy().isolatedPods),
    )
    this.#gauge('podwire_policy_set_elements', 'Elements of all sets that policies need', [], set =>
      set(policy().elements),
    )
    const drops: Counter<'namespace' | 'pod' | 'direction'> = new Counter({
      name: 'podwire_policy_dropped_packets_total',
      help: 'Packets of pods of this node that NetworkPolicies dropped',
      labelNames: ['namespace', 'pod', 'direction'],
      registers: [this.#registry],
      collect: () => {
        drops.reset()
        this.#attempt('podwire_policy_dropped_packets_total', () => {
          for (const { packets, ...labels } of dropped()) drops.inc(labels, packets)
        })
      },
    })
  }

  /** prom-client's own set would wake the process a hundred times a second to measure its event loop. */
  #watchProcess(): void {
    const startedAt = Date.now() / 1000 - process.uptime()
    this.#gauge('process_start_time_seconds', 'When the process started, Unix time', [], set =>
      set(startedAt),
    )
    this.#gauge('process_resident_memory_bytes', 'Memory that the process occupies', [], set =>
      set(process.memoryUsage.rss()),
    )
    this.#gauge('process_open_fds', 'Open file descriptors', [], set =>
      set(readdirSync('/proc/self/fd').length),
    )
    const cpu = new Counter({
      name: 'process_cpu_seconds_total',
      help: 'Processor time that the process has used',
      registers: [this.#registry],
      collect: () => {
        const { user, system } = process.cpuUsage()
        cpu.reset()
        cpu.inc((user + system) / 1e6)
      },
    })
  }

  #perFamily(name: string, help: string, read: () => readonly (readonly [Family, number])[]): void {
    this.#gauge(name, help, ['family'], set => {
      for (const [family, value] of read()) set(value, { family: `ipv${family.version}` })
    })
  }

  #counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  /** A number that is looked up at each scrape: `read` sets it, once for each combination of labels. */
  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: (set: (value: number, labels?: Partial<Record<L, string>>) => void) => void,
  ): void {
    const gauge: Gauge<L> = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => {
        gauge.reset()
        // Without labels a reset leaves a 0, which would be a lie.
        if (labelNames.length === 0) gauge.remove()
        this.#attempt(name, () => read((value, labels = {}) => gauge.set(labels, value)))
      },
    })
  }

  /** One number less is better than none at all. */
  #attempt(name: string, read: () => void): void {
    try {
      read()
    } catch (error) {
      this.#log.debug({}, `Cannot read ${name} for /metrics: ${messageOf(error)}`)
    }
  }
}
