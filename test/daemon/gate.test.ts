import { rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { READY } from '../../daemon/core/places.ts'
import { formerSysctls, markReady, rememberSysctl, STATE_DIR } from '../../daemon/edge/state.ts'
import { run } from '../ipam/spawn.ts'
import { Installation } from './installation.ts'

/*
 * The conflist survives a reboot, and a kubelet starts pods by it at once. Until the daemon has been up since, the
 * plugin's launcher has them try again: a pod that was wired under a podCIDR of former times could not be reached.
 */

t.test('After a boot ADD and STATUS wait for the daemon, and nothing else does', async t => {
  // The folder is this run's own (test/isolated), but not this test's.
  rmSync(READY, { force: true })
  const node = new Installation(t)
  await node.install()
  const answer = async (command: string) => {
    const { status, lines } = await run(['env', '-i', `CNI_COMMAND=${command}`, `${node.to}/podwire`]).outcome
    return { status, text: lines.join('') }
  }
  for (const [command, code] of [
    ['ADD', 11],
    ['STATUS', 50],
  ] as const) {
    const { status, text } = await answer(command)
    t.equal(status, 1)
    t.match(JSON.parse(text), { code, msg: /^Cannot wire pods yet: .*; try again$/ })
  }
  for (const command of ['DEL', 'CHECK', 'GC', 'VERSION'])
    t.match((await answer(command)).text, /^v1/, command)
  t.ok(markReady(), 'the daemon comes up')
  t.notOk(markReady(), 'once')
  t.match((await answer('ADD')).text, /^v1/)
  rmSync(READY)
})

t.test('What was remembered of settings is read back, but for lines that name none', async t => {
  t.same([...formerSysctls()], [])
  rememberSysctl('net/ipv4/ip_forward', '0')
  rememberSysctl('net/ipv4/ip_forward', '1')
  writeFileSync(`${STATE_DIR}/sysctls`, 'kernel/core_pattern 1\nnet/../kernel/x 1\n', { flag: 'a' })
  t.same([...formerSysctls()], [['net/ipv4/ip_forward', '0']])
  rmSync(`${STATE_DIR}/sysctls`)
})
