import type { Test } from 'tap'
import { rolledOut } from './daemon.ts'
import { manifest } from './manifest.ts'
import type { Resource, Stage } from './stage.ts'

/** How long a node may take from the apply to Ready. */
const READY_MS = 15_000

/** From a cluster without a pod network to one with. */
export async function testReady(t: Test, stage: Stage): Promise<void> {
  await t.test('nodes are not Ready before Podwire is applied, and say why', async t => {
    await stage.until('the kubelets to miss a pod network', async () =>
      (await conditions(stage)).every(({ message }) => /network/i.test(message)),
    )
    for (const { status } of await conditions(stage)) t.equal(status, 'False')
  })

  await t.test('nodes are Ready within 15 s of the apply', async t => {
    const began = performance.now()
    await stage.apply(manifest('podwire.yaml'))
    await stage.wait('condition=Ready', 'node', '--all')
    const milliseconds = performance.now() - began
    t.ok(
      milliseconds <= READY_MS,
      `all ${stage.nodes.length} are after ${(milliseconds / 1000).toFixed(1)} s`,
    )
    console.error(`Ready ${(milliseconds / 1000).toFixed(1)} s after the apply`)
    await rolledOut(stage)
  })
}

/** The Ready condition of every node. */
async function conditions(stage: Stage): Promise<readonly Resource[]> {
  const nodes = await stage.get('nodes')
  return nodes.map(({ status }: Resource) => status.conditions.find(({ type }: Resource) => type === 'Ready'))
}
