import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { formatIp } from '../../ipam/core/ip.ts'
import { commandOf } from '../../cni/core/command.ts'
import { describe } from '../../cni/core/describe.ts'
import { plan } from '../../cni/core/plan/plan.ts'
import type { Wish } from '../../cni/core/plan/wish.ts'
import type { AttachmentCall } from '../../cni/spec/plugin.ts'
import type { JsonObject } from '../../cni/spec/read.ts'
import { formatResult } from '../../cni/spec/result-format.ts'
import { addresses, network, wish } from '../support/wish.ts'
import { Lab } from './lab.ts'
import { whyNoLimits } from './limits.ts'

/*
 * The trace tells the truth: the commands it prints, run one after another by a shell with `ip`, `bridge`, `sysctl` and
 * `nft`, wire a container without any help of ours.
 */

const DEADLINE_MS = 3_000

/** Runs the commands of a plan on the lab's host; a port forwards only once the kernel has seen its carrier. */
async function wire(lab: Lab, container: string, wish: Wish): Promise<void> {
  for (const step of plan(wish)) {
    const command = commandOf(step).replaceAll('CONTAINER', container)
    for (const deadline = Date.now() + DEADLINE_MS; ; await sleep(1)) {
      const refusal = run(lab, command)
      if (refusal === undefined) break
      if (step.kind !== 'forward' || Date.now() > deadline) throw new Error(`${command}: ${refusal}`)
    }
  }
}

/** What the shell complained of; undefined when there was nothing, not even a warning. */
function run(lab: Lab, command: string): string | undefined {
  const script = `{ :\n${command}\n} 2>&1 >/dev/null`
  try {
    const args = [`--net=${lab.path(lab.host)}`, 'sh', '-ec', script]
    return execFileSync('nsenter', args, { encoding: 'utf8' }) || undefined
  } catch (error) {
    return String((error as { stdout: unknown }).stdout)
  }
}

/** What an ADD of this wish would have answered. */
const answer = (wish: Wish, netns: string): JsonObject => {
  const call = { config: network(), attachment: wish.attachment, netns } as AttachmentCall
  return formatResult(
    describe(call, wish.config, wish.result, { mtu: wish.node.mtu, bridge: undefined }),
    '1.1.0',
  )
}

const DUAL = addresses('10.1.0.5/24', 'fd00::5/64')
const RULES = { ipMasq: true, macspoofchk: true }
const CASES: readonly (readonly [title: string, keys: JsonObject])[] = [
  ['l2', { ...RULES, hairpinMode: true, portIsolation: true, mtu: 1400 }],
  ['l2 with duplicate address detection', { enabledad: true, promiscMode: true }],
  [
    'l2 with a bridge that has a dot in its name',
    { bridge: 'br.1', runtimeConfig: { mac: '02:00:00:00:00:09' } },
  ],
  ['l3', { ...RULES, mode: 'l3' }],
]

for (const [title, keys] of CASES) {
  t.test(`the commands of a dual-stack plan wire a container: ${title}`, async t => {
    const lab = new Lab(t)
    const container = lab.namespace()
    const wanted = wish({ isGateway: true, ...keys }, DUAL)
    await wire(lab, container, wanted)
    for (const { address, gateway } of wanted.result.ips) {
      if (wanted.config.dad) await settled(lab, container, formatIp(address.ip))
      t.ok(await lab.pings(container, formatIp(gateway!)), `${formatIp(gateway!)} answers at once`)
      t.ok(await lab.pings(lab.host, formatIp(address.ip)), `${formatIp(address.ip)} answers the node`)
    }
    if (wanted.config.mode === 'l2') await agrees(t, lab, container, wanted, keys)
  })
}

/** What the comment in the trace says: waits until duplicate address detection is over. */
async function settled(lab: Lab, container: string, address: string): Promise<void> {
  const isTentative = async (): Promise<boolean> =>
    (await lab.inside(container, 'ip', 'address', 'show', 'to', address)).includes('tentative')
  for (const deadline = Date.now() + DEADLINE_MS; await isTentative(); await sleep(10))
    if (Date.now() > deadline) throw new Error(`${address} is tentative for ever`)
}

/** The plugin's own CHECK finds the wiring as its ADD would have made it; no address store knows of it. */
async function agrees(t: Test, lab: Lab, container: string, wanted: Wish, keys: JsonObject): Promise<void> {
  const prevResult = answer(wanted, lab.path(container))
  const config = { ...network({ isGateway: true, ...keys }).json, prevResult }
  const checked = await lab.call('CHECK', config, { id: 'c1', netns: container })
  t.match(checked, { code: 0, stdout: /^$/ }, `CHECK agrees ${checked.stdout}`)
}

const filters = run(new Lab(t), 'ip link add cbr0 type bridge vlan_filtering 1') === undefined
const skip = filters ? false : 'this kernel has no bridge VLAN filtering (CONFIG_BRIDGE_VLAN_FILTERING)'

t.test('the commands for VLANs wire a container in its VLAN', { skip }, async t => {
  const trunk = [{ id: 7 }, { minID: 10, maxID: 20 }]
  for (const keys of [{ vlan: 5, preserveDefaultVlan: false }, { vlanTrunk: trunk }]) {
    const lab = new Lab(t)
    const container = lab.namespace()
    await wire(lab, container, wish({ isGateway: true, ...keys }, DUAL))
    t.ok(await lab.pings(container, '10.1.0.1'), `${JSON.stringify(keys)}: the gateway answers`)
  }
})

t.test('the commands for limits wire a container', { skip: whyNoLimits() }, async t => {
  const lab = new Lab(t)
  const container = lab.namespace()
  const keys = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 1e11, egressBurst: 2 ** 32 - 1 }
  const wanted = wish({ isGateway: true, ...keys }, DUAL)
  await wire(lab, container, wanted)
  t.ok(await lab.pings(container, '10.1.0.1'), 'the gateway answers')
  await agrees(t, lab, container, wanted, keys)
})
