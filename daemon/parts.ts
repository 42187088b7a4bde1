import { defaultRoute } from '../cni/edge/default-route.ts'
import { Site } from '../cni/edge/site.ts'
import type { Family } from '../ipam/core/ip.ts'
import type { Cluster } from './core/cluster.ts'
import { BRIDGE, CONFLIST, formatConflist, type PodNetwork } from './core/conflist.ts'
import type { Log } from './core/log.ts'
import type { NodeName } from './core/node.ts'
import type { Options } from './core/options.ts'
import { writeWatched } from './edge/files.ts'
import { filtersBridged } from './edge/isolation.ts'
import { markReady, rememberSysctl } from './edge/state.ts'
import type { Service } from './service.ts'
import { installPlugin } from './install.ts'
import { Masquerade } from './masquerade.ts'
import { OwnNode } from './own-node.ts'
import type { Policy } from './policy/policy.ts'
import type { Part } from './reconcile.ts'
import { Routes } from './routes.ts'
import type { SweepReport } from './sweep.ts'
import { Sweeper } from './sweeper.ts'
import { ensureSysctls } from './sysctls.ts'

/** What the parts are made from. */
export interface PartsOptions {
  readonly nodeName: NodeName
  readonly options: Options
  readonly cluster: Cluster
  /** The folder that the plugin is installed from. */
  readonly source: string
  readonly log: Log
  readonly now: () => number
  readonly swept: (report: SweepReport) => void
  readonly service: Service
  readonly policy: Policy
}

/** Everything that the daemon keeps as it should be. */
export interface Parts {
  readonly own: OwnNode
  readonly routes: Routes
  readonly sweeper: Sweeper
  /** In the order of the loop. */
  readonly all: readonly Part[]
}

/**
 * The daemon's work, in its order: the conflist comes when all before it is in force, because from that moment on the
 * kubelet calls the node Ready and pods start.
 */
export function makeParts(made: PartsOptions): Parts {
  const { nodeName, options, cluster, log, service, policy } = made
  const { world } = service
  const own = new OwnNode(cluster, nodeName, log)
  const routes = new Routes(cluster, nodeName, BRIDGE, log)
  const network = (): PodNetwork => ({
    podCidrs: own.node.podCidrs,
    mtu: observeMtu(),
    portIsolation: !filtersBridged(),
  })
  const masquerade = new Masquerade({ world, cluster, own, routes, given: options.noMasquerade, log })
  const sweeper = new Sweeper({ ...made, world, network })
  const before = [install(made), service, own, sysctls(made, own), routes, masquerade, policy]
  return { own, routes, sweeper, all: [...before, conflist(made, network, before), sweeper] }
}

/** Installs once: comparing what is there with 150 MB is nothing for every minute. */
function install({ options, source, log }: PartsOptions): Part {
  let isInstalled = false
  return {
    name: 'install',
    needs: [],
    reconcile: async () => {
      if (isInstalled) return
      await installPlugin({ from: source, to: options.cniBinDir, log })
      isInstalled = true
    },
  }
}

const sysctls = ({ options, log }: PartsOptions, own: OwnNode): Part => ({
  name: 'sysctls',
  needs: ['node'],
  reconcile: () => {
    const families = new Set(own.node.podCidrs.map(({ ip }): Family['version'] => ip.family.version))
    ensureSysctls({ folder: options.sysctlDir, families, bridge: BRIDGE, log, remember: rememberSysctl })
  },
})

const conflist = (
  { options, log }: PartsOptions,
  network: () => PodNetwork,
  before: readonly Part[],
): Part => ({
  name: 'conflist',
  needs: before.map(({ name }) => name),
  reconcile: async () => {
    const path = `${options.cniConfDir}/${CONFLIST}`
    if (await writeWatched(path, formatConflist(network()))) log.info({ path }, `Wrote ${path}`)
    if (markReady()) log.info({}, 'Pods can be wired')
  },
})

/** The MTU of the default route's interface. */
function observeMtu(): number | undefined {
  using site = new Site()
  return defaultRoute(site)?.mtu
}
