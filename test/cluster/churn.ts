import type { Test } from 'tap'
import { isDeepStrictEqual } from 'node:util'
import { TOOLS_IMAGE } from './cluster.ts'
import type { Resource, Stage } from './stage.ts'
import { type Traces, tracesOfAll } from './traces.ts'

const PODS = 60

/** Many pods come and go at once. */
export async function testChurn(t: Test, stage: Stage): Promise<void> {
  await t.test(`${PODS} pods come and go and leave no address, veth, rule or route`, async t => {
    const before = await tracesOfAll(stage)
    await stage.apply([CROWD])
    await stage.kubectl('rollout', 'status', 'deployment/crowd', '--timeout=180s')
    const pods = await stage.get('pods', '--selector=app=crowd')
    const addresses = pods.flatMap(({ status }: Resource) => status.podIPs.map(({ ip }: Resource) => ip))
    t.equal(new Set(addresses).size, PODS * stage.families.length, 'each has addresses of its own')
    t.equal(grown(before, await tracesOfAll(stage)), PODS, 'and a veth')
    await stage.kubectl('delete', 'deployment', 'crowd')
    await stage.until(
      'the pods to go',
      async () => (await stage.get('pods', '--selector=app=crowd')).length === 0,
    )
    const isAsBefore = async () => isDeepStrictEqual(await tracesOfAll(stage), before)
    await stage.until('their traces to go', isAsBefore).catch(() => {})
    t.same(await tracesOfAll(stage), before)
  })
}

/** How many veths have come. */
const grown = (before: Record<string, Traces>, after: Record<string, Traces>): number =>
  Object.entries(after).reduce((sum, [node, { veths }]) => sum + veths - before[node]!.veths, 0)

const CROWD = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'crowd' },
  spec: {
    replicas: PODS,
    selector: { matchLabels: { app: 'crowd' } },
    template: {
      metadata: { labels: { test: 'podwire', app: 'crowd' } },
      spec: {
        automountServiceAccountToken: false,
        terminationGracePeriodSeconds: 0,
        tolerations: [{ operator: 'Exists' }],
        containers: [
          { name: 'main', image: TOOLS_IMAGE, imagePullPolicy: 'Never', command: ['sleep', '1000000'] },
        ],
      },
    },
  },
}
