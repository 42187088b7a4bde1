import { existsSync } from 'node:fs'
import t, { type Test } from 'tap'
import { testApiAway } from './api.ts'
import { startCast } from './cast.ts'
import { chooseCluster } from './choose.ts'
import { testChurn } from './churn.ts'
import type { Cluster, Families } from './cluster.ts'
import { collect } from './collect.ts'
import { makeLeak, testLeak } from './leak.ts'
import { testNames } from './names.ts'
import { testNodes } from './nodes.ts'
import { testObservation } from './observe.ts'
import { testOutside } from './outside.ts'
import { testPolicies } from './policy/policies.ts'
import { testReach } from './reach.ts'
import { testReady } from './ready.ts'
import { testRestart } from './restart.ts'
import { makeServices, testServices } from './services.ts'
import { snapshot } from './snapshot.ts'
import { Stage } from './stage.ts'
import { testUninstall } from './uninstall.ts'

const ROOT = `${import.meta.dirname}/../..`
const IMAGE = `${ROOT}/dist/podwire-image.tar`

/** How long a run may take in all, also where it has to build Kubernetes first. */
const LIFE_MS = 2_400_000

/** What a run is about. */
export interface Run {
  readonly nodes: number
  readonly families: Families
}

/**
 * One cluster's whole life: it starts without a pod network, Podwire is applied, everything is tried in the order in
 * which a test may spoil what the next finds, Podwire is taken away. One process, for there is one cluster.
 */
export async function testLife({ nodes, families }: Run): Promise<void> {
  const { name, cluster, hasIpv6Only } = await chooseCluster()
  if (families[0] === 6 && !hasIpv6Only) return void t.plan(0, `no cluster of IPv6 alone with ${name}`)
  if (!existsSync(IMAGE)) throw new Error(`Cannot find ${IMAGE}: run "make image" first`)
  t.setTimeout(LIFE_MS)
  const tell = teller(families)
  await withCluster(cluster, { nodes, families }, async stage => {
    tell('the cluster is up')
    await cluster.load(IMAGE)
    const before = await snapshot(stage)
    const topic = async (about: string, job: (t: Test) => Promise<void>): Promise<boolean> => {
      await t.test(about, t => explained(t, stage, () => job(t)))
      tell(about)
      return t.passing()
    }
    if (!(await topic('the nodes become Ready', t => testReady(t, stage)))) return
    const cast = await startCast(stage)
    const services = await makeServices(stage, cast)
    await topic('who reaches whom', t => testReach(t, stage, cast))
    await topic('Services', t => testServices(t, stage, cast, services))
    await topic('names', t => testNames(t, stage, cast, services))
    await topic('the world outside', t => testOutside(t, stage, cast))
    await topic('many pods', t => testChurn(t, stage))
    await topic('observation', t => testObservation(t, stage))
    await topic('policies', t => testPolicies(t, stage))
    await topic('the daemon restarts', t => testRestart(t, stage, cast))
    await topic('the API server is away', t => testApiAway(t, stage, cast))
    await makeLeak(stage)
    await topic('nodes go and come', t => testNodes(t, stage))
    await topic('leaks', t => testLeak(t, stage))
    await topic('uninstallation', t => testUninstall(t, stage, before))
  })
}

/** Does a topic's tests; when one fails the state of the cluster is written down before the next topic changes it. */
async function explained(t: Test, stage: Stage, job: () => Promise<void>): Promise<void> {
  let isWell = false
  try {
    await job()
    isWell = t.passing()
  } finally {
    if (!isWell) t.comment(await collect(stage, folderOf(stage, t.name.replaceAll(' ', '-'))))
  }
}

const folderOf = ({ families }: Stage, about: string): string =>
  `${ROOT}/dist/tests/cluster-ipv${families.join('')}/${about}`

/** Starts a cluster, and takes it down again whatever happens. */
async function withCluster(cluster: Cluster, run: Run, job: (stage: Stage) => Promise<void>): Promise<void> {
  await using up = new AsyncDisposableStack()
  up.defer(() => cluster.down())
  await cluster.up(run.nodes, run.families)
  const stage = await Stage.of(cluster, run.families)
  try {
    await job(stage)
  } catch (error) {
    t.comment(await collect(stage, folderOf(stage, 'start')))
    throw error
  }
}

/** Tells on stderr how far a run is: it takes minutes, and tap's reporters speak at the end. */
function teller(families: Families): (about: string) => void {
  const began = performance.now()
  return about => {
    const seconds = Math.round((performance.now() - began) / 1000)
    console.error(`IPv${families.join('+')}, ${seconds} s: ${about}`)
  }
}
