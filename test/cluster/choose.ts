import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { kindCluster } from './kind.ts'
import { succeeds } from './run.ts'
import { scriptCluster } from './script.ts'

/** What a machine can make clusters with. */
export interface Choice {
  /** For people. */
  readonly name: string
  readonly cluster: Cluster
  /** Whether it has clusters of IPv6 alone. */
  readonly hasIpv6Only: boolean
}

/** A script of the same interface that lies beside the project's folder on machines without Docker. */
const BESIDE = join(import.meta.dirname, '../../../shared/kube/cluster')

/**
 * What to make clusters with on this machine: kind where Docker works, else the script that KUBE_CLUSTER names, else the
 * one beside the project. Throws a sentence that says what to install.
 */
export async function chooseCluster(): Promise<Choice> {
  if ((await succeeds(['docker', 'info'])) && (await succeeds(['kind', 'version'])))
    return { name: 'kind', cluster: kindCluster, hasIpv6Only: true }
  const script = process.env['KUBE_CLUSTER'] ?? BESIDE
  if (!existsSync(script))
    throw new Error('Cannot make a cluster: there is no kind with a Docker engine; install Docker and kind')
  if (process.getuid?.() !== 0) throw new Error(`Cannot make a cluster with ${script}: it needs root`)
  return { name: script, cluster: scriptCluster(script), hasIpv6Only: false }
}
