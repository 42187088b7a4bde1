import type { Test } from 'tap'
import { until } from '../../conformance/until.ts'
import type { Stage } from '../stage.ts'
import { DENY, policy } from './cases/case.ts'
import { areFree, arrivals, floodOf, giveNext, nextAddresses, whileFlooded } from './flood.ts'
import { HEARD, inProber, makeNamespace, nameOf, type Prober, startProbers } from './prober.ts'
import type { Scene } from './scene.ts'

/** Isolated in both directions before there is any pod in it. */
const CLOSED = 'closed'
/** A namespace without policies. */
const OPEN = 'lab'
/** How many pods start at once under default deny, on each node. */
const PODS = 4
/** So much must have reached a pod beside them that is open, in each protocol: some seconds of the flood. */
const ENOUGH = 500

/** Nothing comes through before a new pod's policies are in force: senders try from before its ADD on. */
export async function testFirstPacket(t: Test, stage: Stage, scene: Scene): Promise<void> {
  const senders = ['shop/web', 'lab/web'].map(name => scene.prober(name))
  await makeNamespace(stage, scene.program, CLOSED)
  await stage.apply([policy(CLOSED, 'deny', DENY)])

  await t.test('a new pod under default deny gets no packet and sends none', async t => {
    const ears = await startProbers(
      stage,
      scene.nodes.map((node, i) => ({ namespace: OPEN, name: `ear-${i}`, node })),
    )
    const first = floodOf(ears.flatMap(ear => Object.values(ear.addresses)))
    for (const node of scene.nodes) {
      const names = Array.from({ length: PODS }, (_, i) => ({
        namespace: CLOSED,
        name: `${node}-${i}`,
        node,
        first,
      }))
      await whileFlooded(stage, senders, await nextAddresses(stage, node), async () => {
        const [open, ...closed] = await startProbers(stage, [
          { namespace: OPEN, name: `open-${node}`, node, first },
          ...names,
        ])
        await getsEnough(stage, open!)
        await isUntouched(t, stage, closed)
        await isUnheard(t, stage, ears, open!, closed)
      })
      await end(stage, `open-${node}`)
    }
    await end(stage, ...ears.map(({ name }) => name))
  })

  await t.test('nor does one with the address of a pod that was open to the sender', async t => {
    const [node] = scene.nodes
    const [old] = await startProbers(stage, [{ namespace: OPEN, name: 'old', node }])
    const addresses = stage.families.map(version => old!.addresses[version]!)
    await whileFlooded(stage, senders, addresses, async () => {
      await getsEnough(stage, old!)
      await end(stage, 'old')
      await stage.until('its addresses to be free', () => areFree(stage, node, addresses))
      await giveNext(stage, node, addresses)
      const [heir] = await startProbers(stage, [{ namespace: CLOSED, name: 'heir', node }])
      t.same(heir!.addresses, old!.addresses, 'it has the addresses')
      await giveNext(stage, node, addresses)
      const next = await nextAddresses(stage, node)
      await whileFlooded(stage, senders, next, async () => {
        const [open] = await startProbers(stage, [{ namespace: OPEN, name: 'open', node }])
        await getsEnough(stage, open!)
      })
      await isUntouched(t, stage, [heir!])
    })
    await end(stage, 'open')
  })
  await stage.kubectl('delete', 'namespace', CLOSED)
}

const end = (stage: Stage, ...names: readonly string[]): Promise<string> =>
  stage.kubectl('delete', 'pod', ...names, `--namespace=${OPEN}`)

/** Waits until the flood has reached a pod for a while: it would have reached others beside it too. */
const getsEnough = (stage: Stage, pod: Prober): Promise<true> =>
  until(
    'the flood to reach a pod that is open',
    async () => {
      const { tcp, udp } = await arrivals(stage, pod)
      return tcp > ENOUGH && udp > ENOUGH
    },
    { deadline: 30_000, pause: 200 },
  )

async function isUntouched(t: Test, stage: Stage, pods: readonly Prober[]): Promise<void> {
  for (const pod of pods) {
    t.same(await arrivals(stage, pod), { tcp: 0, udp: 0, unheard: 0 }, `${nameOf(pod)} got nothing`)
  }
}

/** What the open pod sends is heard in all ways, so of the others something would be heard too. */
async function isUnheard(
  t: Test,
  stage: Stage,
  ears: readonly Prober[],
  open: Prober,
  closed: readonly Prober[],
): Promise<void> {
  for (const ear of ears) {
    const heard = async (): Promise<string[]> => (await inProber(stage, ear, `cat ${HEARD}`)).split('\n')
    const by = (lines: readonly string[], { addresses }: Prober): string[] =>
      lines.filter(line => Object.values(addresses).some(address => line.endsWith(` ${address}`)))
    const ways = 2 * stage.families.length
    await until('an open pod to be heard', async () => by(await heard(), open).length === ways)
    const lines = await heard()
    t.same(
      closed.flatMap(pod => by(lines, pod)),
      [],
      `${nameOf(ear)} heard none of ${closed.length} pods`,
    )
  }
}
