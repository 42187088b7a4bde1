import type { Test } from 'tap'
import { rolledOut } from '../daemon.ts'
import { PODWIRE, type Stage } from '../stage.ts'
import { ALL, labels, podsIn, policy, tcp } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import { type Prober, startProbers } from './prober.ts'
import type { Scene } from './scene.ts'
import { agrees, areClosed, type Cell, everyPair } from './table.ts'

/** The namespace that has a policy. */
const ISOLATED = 'shop'

/** The daemons of all nodes go, pods come, the daemons come back. */
export async function testAway(t: Test, stage: Stage, scene: Scene): Promise<void> {
  await t.test('while no daemon runs policies stay, and new pods under policies are closed', async t => {
    const cells = everyPair(stage, scene.probers)
    await stage.apply([
      policy(ISOLATED, 'stay', {
        podSelector: ALL,
        ingress: [{ from: [podsIn(ALL, labels({ app: 'web' }))], ports: [tcp('main')] }],
      }),
    ])
    await agrees(t, stage, 'before', cells)
    await sendAway(stage)
    try {
      await agrees(t, stage, 'without daemons', cells)
      const [closed, open] = await comeFresh(scene)
      const all = [...scene.probers, ...closed, ...open]
      const ofClosed = everyPair(stage, all).filter(
        ({ from, to }) => closed.includes(from) || closed.includes(to),
      )
      await areClosed(t, 'new pods of a namespace with a policy', ofClosed.filter(mayBeClosed))
      const others = all.filter(({ namespace }) => namespace !== ISOLATED)
      await agrees(t, stage, 'new pods of a namespace without', everyPair(stage, others))
      await callBack(stage)
      await agrees(t, stage, 'when the daemons are back', everyPair(stage, all))
    } finally {
      await callBack(stage)
      await deletePolicies(stage)
    }
  })
}

/** A pod reaches itself, and it and its node reach each other, whatever is closed. */
const mayBeClosed = ({ from, to }: Cell): boolean =>
  from !== to && !((from.isHost || to.isHost) && from.node === to.node)

/** New pods on each node: those of a namespace that has a policy, and those of one that has none. */
async function comeFresh({ stage, nodes }: Scene): Promise<readonly [Prober[], Prober[]]> {
  const [closed, open] = [ISOLATED, 'lab'].map(namespace =>
    startProbers(
      stage,
      nodes.map((node, i) => ({ namespace, name: `fresh-${i}`, node, labels: { app: 'web' } })),
    ),
  )
  return [await closed!, await open!]
}

/** No node has the label that the daemons want now. */
async function sendAway(stage: Stage): Promise<void> {
  await wantLabel(stage, 'away')
  await stage.until('the daemons to go', async () => (await stage.get('pods', ...PODWIRE)).length === 0)
}

async function callBack(stage: Stage): Promise<void> {
  await wantLabel(stage, null)
  await rolledOut(stage)
}

const wantLabel = (stage: Stage, value: string | null): Promise<string> => {
  const patch = { spec: { template: { spec: { nodeSelector: { 'podwire.test/where': value } } } } }
  return stage.kubectl(
    '--namespace=kube-system',
    'patch',
    'daemonset',
    'podwire',
    `--patch=${JSON.stringify(patch)}`,
  )
}
