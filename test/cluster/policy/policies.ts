import type { Test } from 'tap'
import type { Stage } from '../stage.ts'
import { testAway } from './away.ts'
import { testChanges } from './changes.ts'
import { testConnections } from './connections.ts'
import { testDns } from './dns.ts'
import { testFirstPacket } from './first-packet.ts'
import { Probed } from './kubelet.ts'
import { Scene } from './scene.ts'
import { testServices } from './services.ts'
import { testTruthTable } from './truth-table.ts'

/** NetworkPolicies, by the API's own objects and by real packets. All of it takes minutes, so it is done on dual stack. */
export async function testPolicies(t: Test, stage: Stage): Promise<void> {
  await using scene = await Scene.start(stage)
  const probed = await Probed.start(scene)
  await probed.testReady(t)
  await testTruthTable(t, stage, scene)
  if (stage.families.length === 2) {
    await testChanges(t, stage, scene)
    await testConnections(t, stage, scene)
    await testServices(t, stage, scene)
    await testDns(t, stage, scene)
    await testAway(t, stage, scene)
  }
  await testFirstPacket(t, stage, scene)
  await probed.testStillReady(t)
}
