import type { Test } from 'tap'
import type { Stage } from '../stage.ts'
import { ALL, DENY, policy, tcp, udp } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import { inProber } from './prober.ts'
import type { Scene } from './scene.ts'

const NAMESPACE = 'lab'

/** The name that most policies for egress forget. */
export async function testDns(t: Test, stage: Stage, scene: Scene): Promise<void> {
  // Of a node without the cluster's DNS: a pod always reaches its own node.
  const client = scene.prober(`${NAMESPACE}/web`)
  const lookUp = async (...options: readonly string[]): Promise<string> => {
    const dig = ['dig', '+short', '+time=2', '+tries=1', ...options, 'kubernetes.default.svc.cluster.local']
    return (await inProber(stage, client, `${dig.join(' ')} || true`)).trim()
  }
  const isAnswered = async (...options: readonly string[]): Promise<boolean> =>
    /^[0-9a-f.:]+$/.test(await lookUp(...options))

  await t.test('a policy for egress decides about names too', async t => {
    t.ok(await isAnswered(), 'without policies names are known')
    await stage.apply([policy(NAMESPACE, 'deny', DENY)])
    await stage.until('DNS to be closed', async () => !(await isAnswered())).catch(() => {})
    t.notOk(await isAnswered(), 'default deny closes DNS')
    t.notOk(await isAnswered('+tcp'), 'and over TCP')
    const egress = [{ ports: [udp(53), tcp(53)] }]
    await stage.apply([policy(NAMESPACE, 'names', { podSelector: ALL, policyTypes: ['Egress'], egress })])
    await stage.until('DNS to be open', () => isAnswered()).catch(() => {})
    t.ok(await isAnswered(), 'port 53 opens it')
    t.ok(await isAnswered('+tcp'), 'and over TCP')
    await deletePolicies(stage)
  })
}
