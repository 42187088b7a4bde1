import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import type { Cast, Place } from './cast.ts'
import { conflistOf, daemons, dataPlane, page, rolledOut, terminate } from './daemon.ts'
import { type Call, type Caller, comesOut } from './probes.ts'
import { podToPod } from './reach.ts'
import type { Stage } from './stage.ts'

/** The API server stops answering, as when its machine is overloaded; its connections stay open. */
export async function testApiAway(t: Test, stage: Stage, cast: Cast): Promise<void> {
  await t.test('without the API server pods go on, also when their daemon starts anew', async t => {
    const last = cast.at(-1)!
    const daemon = (await daemons(stage))[last.node.name]!
    const before = [await dataPlane(stage, last.node.name), await conflistOf(stage, last.node.name)]
    await signal(stage, 'STOP')
    try {
      await comesOut(t, everyPair(stage, cast))
      const milliseconds = await terminate(stage, daemon)
      t.ok(milliseconds < 1000, `the daemon ends after ${milliseconds} ms`)
      await stage.until('the daemon to serve again', () => page(stage, last.node.name, '/healthz'))
      t.match(await page(stage, last.node.name, '/readyz'), [503, /\[-\] api/], 'it says what it waits for')
      t.same([await dataPlane(stage, last.node.name), await conflistOf(stage, last.node.name)], before)
      await comesOut(t, everyPair(stage, cast))
    } finally {
      await signal(stage, 'CONT')
    }
    await stage.until('the API server', () => stage.kubectl('get', '--raw=/readyz'))
    await rolledOut(stage)
    t.same([await dataPlane(stage, last.node.name), await conflistOf(stage, last.node.name)], before)
  })
}

const signal = (stage: Stage, name: string): Promise<string> =>
  stage.inNode(stage.nodes[0]!.name, `pkill -${name} -x kube-apiserver`)

const everyPair = (stage: Stage, cast: Cast): Call[] =>
  cast.flatMap(from =>
    cast.flatMap(to =>
      podToPod(stage, from.pod, to.pod).map(call => ({ ...call, from: withoutApi(stage, from) })),
    ),
  )

/** Runs in a pod by its node's runtime: kubectl would ask the API server. */
const withoutApi = (stage: Stage, { pod }: Place): Caller => ({
  name: pod.name,
  run: script => {
    const exec = ['tasks', 'exec', '--exec-id', randomBytes(8).toString('hex'), pod.containerId]
    return stage.cluster.inNode(pod.node, ['ctr', '--namespace', 'k8s.io', ...exec, 'sh', '-c', script])
  },
})
