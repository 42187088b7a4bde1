import type { Test } from 'tap'
import type { Cast } from './cast.ts'
import { conflistOf, daemons, dataPlane, rolledOut, terminate } from './daemon.ts'
import { deletePods, startPods } from './pods.ts'
import { comesOut } from './probes.ts'
import { podToPod } from './reach.ts'
import { PODWIRE, type Resource, type Stage } from './stage.ts'
import { Transfer } from './transfer.ts'

const PLUGIN = '/opt/cni/bin/podwire'

/** The daemon goes and comes back while its pods talk. */
export async function testRestart(t: Test, stage: Stage, cast: Cast): Promise<void> {
  await t.test('SIGTERM ends a daemon within a second, which nobody else notices, nor its start', t =>
    undisturbed(t, stage, cast, async () => {
      const before = await stage.onEachNode(node => dataPlane(stage, node))
      for (const daemon of Object.values(await daemons(stage))) {
        const milliseconds = await terminate(stage, daemon)
        t.ok(milliseconds < 1000, `on ${daemon.node} it goes on for ${milliseconds} ms`)
      }
      t.same(await stage.onEachNode(node => dataPlane(stage, node)), before)
      const fresh = await comeFresh(t, stage, cast, 'without')
      await stage.until('the kubelets to start them again', async () => {
        const pods = await stage.get('pods', ...PODWIRE)
        const containers = pods.map(({ status }: Resource) => status.containerStatuses[0])
        return containers.every(({ restartCount, ready }: Resource) => restartCount > 0 && ready)
      })
      await deletePods(stage, ...fresh)
      const after = await stage.until('the nodes to let go of the new pods', async () => {
        const planes = await stage.onEachNode(node => dataPlane(stage, node))
        return !fresh.some(name => JSON.stringify(planes).includes(name)) && planes
      })
      t.same(after, before)
    }),
  )

  await t.test('an upgrade of all daemons brings their plugin, and no transfer loses a byte', t =>
    undisturbed(t, stage, cast, async () => {
      const before = await stage.onEachNode(node => stage.inNode(node, `cat ${PLUGIN}`))
      await stage.onEachNode(node => stage.inNode(node, AGE))
      await stage.kubectl('--namespace=kube-system', 'rollout', 'restart', 'daemonset/podwire')
      await comeFresh(t, stage, cast, 'between')
      await rolledOut(stage)
      t.same(await stage.onEachNode(node => stage.inNode(node, `cat ${PLUGIN}`)), before)
    }),
  )
}

/** Makes the plugin another one, by a rename: a launcher that waits for its answer is a program that runs. */
const AGE = `cp -p ${PLUGIN} ${PLUGIN}.old && echo '# an older one' >>${PLUGIN}.old && mv ${PLUGIN}.old ${PLUGIN}`

/** Starts a new pod on each node while something happens to the daemons there; the plugin needs none. Answers their names. */
async function comeFresh(t: Test, stage: Stage, cast: Cast, when: string): Promise<string[]> {
  const wanted = stage.nodes.map(({ name: node }) => ({ name: `${when}-${node}`, node }))
  const fresh = await startPods(stage, wanted)
  const calls = Object.values(fresh).flatMap(pod => podToPod(stage, pod, cast[0]!.pod))
  await comesOut(t, calls)
  return Object.keys(fresh)
}

/** Runs a transfer in each family while something happens; no byte may be lost and no conflist be written anew. */
async function undisturbed(t: Test, stage: Stage, cast: Cast, happening: () => Promise<void>): Promise<void> {
  const [first, last] = [cast[0]!, cast.at(-1)!]
  const conflists = await stage.onEachNode(node => conflistOf(stage, node))
  const transfers = await Promise.all(
    stage.families.map(version => Transfer.start(stage, last.pod, first.pod, version)),
  )
  await happening()
  const halfway = await Promise.all(transfers.map(transfer => transfer.received()))
  for (const [i, transfer] of transfers.entries()) {
    const { sent, received } = await transfer.end()
    t.same(received, sent, `${sent.size} bytes`)
    t.ok(received.size > halfway[i]!.size, 'the transfer outlasted what happened')
  }
  t.same(await stage.onEachNode(node => conflistOf(stage, node)), conflists, 'no conflist is written anew')
}
