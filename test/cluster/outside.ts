import type { Test } from 'tap'
import type { Cast } from './cast.ts'
import { inPod, server } from './pods.ts'
import { comesOut, fromPod } from './probes.ts'
import type { Stage } from './stage.ts'

const PORT = 9000

/** The world outside has no way back to pods: that it answers shows that it was called by a node. */
export async function testOutside(t: Test, stage: Stage, cast: Cast): Promise<void> {
  await t.test('pods reach the world outside, which sees their node', async t => {
    await withServer(stage, () =>
      comesOut(
        t,
        cast.flatMap(({ node, pod, host }) =>
          [pod, host].flatMap(caller =>
            stage.families.map(version => ({
              from: fromPod(stage, caller.name),
              to: stage.outside[version]!,
              port: PORT,
              server: 'outside',
              peer: node.addresses[version],
            })),
          ),
        ),
      ),
    )
  })

  await t.test('the world outside answers pings of pods', async t => {
    for (const version of stage.families) {
      const pings = cast.map(({ pod }) =>
        inPod(stage, pod.name, `ping -c 1 -W 3 ${stage.outside[version]} && echo answered`),
      )
      for (const said of await Promise.all(pings)) t.match(said, 'answered')
    }
  })
}

/** Does something while a server runs outside. */
async function withServer(stage: Stage, job: () => Promise<void>): Promise<void> {
  const start = `(${server('outside', PORT)}) >/dev/null 2>&1 </dev/null & echo $!`
  const pid = await stage.cluster.outside(['sh', '-c', start])
  try {
    await job()
  } finally {
    await stage.cluster.outside(['kill', pid.trim()])
  }
}
