import type { Test } from 'tap'
import { until } from '../conformance/until.ts'
import { CONFLIST } from './daemon.ts'
import type { Stage } from './stage.ts'

/** How long a leak may stay: the daemon's grace period, and a look at everything each minute on either side. */
const SWEPT_MS = 200_000

/**
 * Leaves an attachment on the first node that no runtime knows of: its namespace goes, and nobody makes the DEL. A daemon
 * that is restarted begins to count the grace period anew, so nothing may restart that one until {@link testLeak}.
 */
export async function makeLeak(stage: Stage): Promise<void> {
  const node = stage.nodes[0]!.name
  const { cniVersion, name, plugins } = JSON.parse(await stage.inNode(node, `cat ${CONFLIST}`))
  const config = JSON.stringify({ ...plugins[0], cniVersion, name })
  const env =
    'CNI_COMMAND=ADD CNI_CONTAINERID=leak CNI_IFNAME=eth0 CNI_NETNS=/run/netns/leak CNI_PATH=/opt/cni/bin'
  await stage.inNode(
    node,
    `set -e; ip netns add leak; echo '${config}' | ${env} /opt/cni/bin/podwire; ip netns del leak`,
  )
}

export async function testLeak(t: Test, stage: Stage): Promise<void> {
  await t.test('what nobody owns any more is swept', async t => {
    const isGone = async () => (await held(stage)) === 'none'
    await until('the sweep', isGone, { deadline: SWEPT_MS, pause: 1000 }).catch(() => {})
    t.equal(await held(stage), 'none')
  })
}

/** The addresses that the leaked attachment still holds. */
async function held(stage: Stage): Promise<string> {
  const script = 'grep -l "^leak" /run/podwire/ipam/podwire/* || echo none'
  return (await stage.inNode(stage.nodes[0]!.name, script)).trim()
}
