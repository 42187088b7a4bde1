import type { Test } from 'tap'
import { startCast } from './cast.ts'
import { lookAt, type Pod, podOf } from './pods.ts'
import { comesOut } from './probes.ts'
import { podToPod } from './reach.ts'
import type { Resource, Stage } from './stage.ts'
import { tracesOfAll } from './traces.ts'

/** A node loses power, and a node leaves the cluster. */
export async function testNodes(t: Test, stage: Stage): Promise<void> {
  const { name } = stage.nodes.at(-1)!
  const onNode = ['--all-namespaces', `--field-selector=spec.nodeName=${name}`]
  const others = stage.nodes.filter(node => node.name !== name)

  await t.test('a node that lost its power comes back with all its pods and nothing of before', async t => {
    const before = await tracesOfAll(stage)
    const pods = (await stage.get('pods', ...onNode)).map(podOf) as Pod[]
    await stage.cluster.stopNode(name)
    await stage.cluster.startNode(name)
    await Promise.all(pods.map(pod => startedAgain(stage, pod)))
    await allPairs(t, stage)
    t.same(await tracesOfAll(stage), before)
  })

  await t.test("a deleted node's routes go from all others, and come when it registers again", async t => {
    await stage.cluster.stopNode(name)
    const gone = await stage.get('node', name)
    await stage.kubectl('delete', 'node', name)
    // What a cloud's controller does for a machine that will not come back.
    await stage.kubectl('delete', 'pod', ...onNode, '--force', '--grace-period=0')
    for (const other of others) {
      const routes = () => routesTo(stage, other.name, gone)
      await stage.until('its routes to go', async () => (await routes()) === 'none').catch(() => {})
      t.equal(await routes(), 'none', `from ${other.name}`)
    }
    await stage.cluster.startNode(name)
    await stage.until('the node to register', () => stage.get('node', name))
    await stage.wait('condition=Ready', 'node', name)
    await allPairs(t, stage)
  })
}

/** Waits until a pod is ready with another container than it had. */
async function startedAgain(stage: Stage, { name, containerId }: Pod): Promise<void> {
  const namespace = `--namespace=${name.startsWith('podwire-') ? 'kube-system' : 'default'}`
  await stage.until(`${name} to start again`, async () => {
    const { status } = await stage.get(namespace, 'pod', name)
    return status.containerStatuses.every(
      ({ ready, containerID }: Resource) => ready && !containerID.endsWith(containerId),
    )
  })
}

/** Pods of all nodes reach each other, at the addresses that they have now. */
async function allPairs(t: Test, stage: Stage): Promise<void> {
  const pods = (await startCast(stage)).map(({ pod }) => pod)
  const now = await Promise.all(pods.map(({ name }) => lookAt(stage, name)))
  await comesOut(
    t,
    now.flatMap(from => now.flatMap(to => podToPod(stage, from, to))),
  )
}

/** The routes that a node has to the pods of another. */
async function routesTo(stage: Stage, node: string, { spec }: Resource): Promise<string> {
  const shown = (spec.podCIDRs as string[]).map(cidr => `ip route show ${cidr}`)
  return (await stage.inNode(node, `(${shown.join('; ')}) | grep . || echo none`)).trim()
}
