import type { Test } from 'tap'
import { rolledOut } from './daemon.ts'
import { manifest } from './manifest.ts'
import { deletePods } from './pods.ts'
import type { Stage } from './stage.ts'
import { type Snapshot, snapshot } from './snapshot.ts'

/** Podwire goes, as deploy/uninstall.yaml says. */
export async function testUninstall(
  t: Test,
  stage: Stage,
  before: Readonly<Record<string, Snapshot>>,
): Promise<void> {
  await t.test('uninstallation leaves each node as it was before the apply', async t => {
    await stage.kubectl('delete', 'service', '--selector=test=podwire')
    await deletePods(stage, '--selector=test=podwire')
    await stage.apply(manifest('uninstall.yaml'))
    await rolledOut(stage)
    await stage.cluster.kubectl(['delete', '--wait', '--filename=-'], manifest('podwire.yaml'))
    t.same(await snapshot(stage), before)
  })

  await t.test('without Podwire the nodes are not Ready', t =>
    t.resolves(stage.wait('condition=Ready=false', 'node', '--all')),
  )
}
