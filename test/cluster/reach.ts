import type { Test } from 'tap'
import type { Cast } from './cast.ts'
import { inPod, NODE_PORT, type Pod, PORT } from './pods.ts'
import { type Call, comesOut, fromPod } from './probes.ts'
import type { Stage } from './stage.ts'

/** Who reaches whom without a Service, and whom the other sees. */
export async function testReach(t: Test, stage: Stage, cast: Cast): Promise<void> {
  const others = cast.flatMap(a => cast.filter(b => b !== a).map(b => [a, b] as const))

  await t.test('two containers of one pod talk over localhost', t => {
    const localhost = { 4: '127.0.0.1', 6: '::1' }
    const calls = cast.map(({ pod: { name } }) => {
      const from = { name, run: (script: string) => inPod(stage, name, script, 'shell') }
      return stage.families.map(version => {
        const [to, peer] = [localhost[version], localhost[version]]
        return { from, to, port: PORT, server: name, peer }
      })
    })
    return comesOut(t, calls.flat())
  })

  await t.test('pods of one node see each other by their own addresses', t =>
    comesOut(t, [
      ...cast.flatMap(({ pod, twin }) => podToPod(stage, pod, twin)),
      ...cast.flatMap(({ pod, twin }) => podToPod(stage, twin, pod)),
    ]),
  )

  await t.test('pods of different nodes see each other by their own addresses', t =>
    comesOut(
      t,
      others.flatMap(([a, b]) => podToPod(stage, a.pod, b.pod)),
    ),
  )

  await t.test('a pod reaches itself by its own address', t =>
    comesOut(
      t,
      cast.flatMap(({ pod }) => podToPod(stage, pod, pod)),
    ),
  )

  await t.test('nodes reach all pods, and those of other nodes see the node by its address', t =>
    comesOut(
      t,
      cast.flatMap(({ node, host }) =>
        cast.flatMap(({ pod }) =>
          stage.families.map(version => ({
            from: fromPod(stage, host.name),
            to: pod.addresses[version]!,
            port: PORT,
            server: pod.name,
            peer: pod.node === node.name ? undefined : node.addresses[version],
          })),
        ),
      ),
    ),
  )

  await t.test('pods reach all nodes, which see them by their own addresses', t =>
    comesOut(
      t,
      cast.flatMap(({ pod }) =>
        cast.flatMap(({ node, host }) =>
          stage.families.map(version => ({
            from: fromPod(stage, pod.name),
            to: node.addresses[version]!,
            port: NODE_PORT,
            server: host.name,
            peer: pod.addresses[version],
          })),
        ),
      ),
    ),
  )
}

/** One call in each family. */
export const podToPod = (stage: Stage, from: Pod, to: Pod): Call[] =>
  stage.families.map(version => ({
    from: fromPod(stage, from.name),
    to: to.addresses[version]!,
    port: PORT,
    server: to.name,
    peer: from.addresses[version],
  }))
