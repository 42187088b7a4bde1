import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Test } from 'tap'
import { both } from './both.ts'
import { executed, type Machine } from './machine.ts'
import { podwired, taking } from './podwired.ts'

/*
 * podwired does not take the call: the launcher becomes the executable beside it, with all that it was given.
 */

const ADD = { CNI_COMMAND: 'ADD' }
const INPUT = Buffer.from('{"name": "n\0\xff"}', 'latin1')
const CALL = { env: ADD, input: INPUT }
/** What podwired has for taking a call. */
const PATIENCE_MS = 2000

both('with no socket, the executable is started with the libraries beside it', async (t, machine) => {
  const inner = `${machine.plugins}/podwire.d`
  const { descriptors } = executed(await machine.launch())
  t.strictSame(executed(await machine.launch(CALL)), {
    path: `${inner}/podwire`,
    args: '[]',
    libraries: inner,
    ignoresPipe: false,
    descriptors,
    cniArgs: '',
    input: INPUT,
  })
})

both('libraries of the caller come after those of the executable', async (t, machine) => {
  const inner = `${machine.plugins}/podwire.d`
  for (const [former, expected] of [
    ['', inner],
    ['/one:/two', `${inner}:/one:/two`],
  ] as const)
    t.equal(executed(await machine.launch({ env: { LD_LIBRARY_PATH: former } })).libraries, expected)
})

both('the executable is started under the name of the program', async (t, machine) => {
  for (const [name, program] of Object.entries({ 'podwire-ipam': 'podwire-ipam', another: 'podwire' }))
    t.equal(executed(await machine.launch({ ...CALL, name })).path, `${machine.plugins}/podwire.d/${program}`)
})

both('without a command, or with arguments, podwired is not asked', async (t, machine) => {
  await podwired(t, machine.run, () => t.fail('was asked'))
  for (const env of [{}, { CNI_COMMAND: '' }])
    t.same(executed(await machine.launch({ env, input: INPUT })).input, INPUT)
  const { args, input } = executed(await machine.launch({ ...CALL, args: ['--trace', 'a b', ''] }))
  t.equal(args, '[--trace][a b][]')
  t.same(input, INPUT)
})

both('a socket at which nobody listens is none', async (t, machine) => {
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', script, `${machine.run}/podwired.sock`]), 'close')
  t.same(executed(await machine.launch(CALL)).input, INPUT)
})

both('a file in the place of the socket is none', async (t, machine) => {
  writeFileSync(`${machine.run}/podwired.sock`, 'T')
  t.same(executed(await machine.launch(CALL)).input, INPUT)
})

for (const reply of ['N', 'NT', 't', '\0', ''])
  both(`podwired does not take the call when it answers ${JSON.stringify(reply)}`, async (t, machine) => {
    const rests: Promise<string>[] = []
    await podwired(t, machine.run, async caller => {
      await caller.call()
      rests.push(caller.rest())
      if (reply !== '') caller.say(reply)
      caller.end()
    })
    const { descriptors, input } = executed(await machine.launch(CALL))
    t.same(input, INPUT)
    t.equal(descriptors, executed(await machine.launch()).descriptors, 'and the socket is closed')
    t.same(await Promise.all(rests), [''], 'and the launcher does not let go')
  })

both('a podwired that dies while it is told is not asked again', async (t, machine) => {
  let count = 0
  await podwired(t, machine.run, caller => {
    count += 1
    caller.die()
  })
  const input = Buffer.alloc(1_000_000, '0123456789')
  t.ok(executed(await machine.launch({ env: ADD, input })).input.equals(input))
  t.equal(count, 1)
})

both('a silent podwired is left after two seconds, and never hears "go"', async (t, machine) => {
  const rests: Promise<string>[] = []
  await podwired(t, machine.run, async caller => {
    await caller.call()
    rests.push(caller.rest())
  })
  const end = await machine.launch(CALL)
  t.same(executed(end).input, INPUT)
  t.ok(end.ms >= PATIENCE_MS)
  t.same(await Promise.all(rests), [''])
})

both('a podwired that does not even listen is left after two seconds', async (t, machine) => {
  await podwired(t, machine.run, caller => caller.ignore())
  const input = Buffer.alloc(2_000_000, '0123456789')
  const end = await machine.launch({ env: ADD, input })
  t.ok(executed(end).input.equals(input))
  t.ok(end.ms >= PATIENCE_MS)
})

both('a queue in front of podwired that does not move is left after two seconds', async (t, machine) => {
  await fullBacklog(t, machine)
  const end = await machine.launch(CALL)
  t.same(executed(end).input, INPUT)
  t.ok(end.ms >= PATIENCE_MS)
})

/** Starts a process that listens and never accepts, and connects to it until the kernel refuses more. */
async function fullBacklog(t: Test, machine: Machine): Promise<void> {
  const script = `require('net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
    require('fs').writeSync(1, 'listening')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })`
  const path = `${machine.run}/podwired.sock`
  const listener = spawn(process.execPath, ['-e', script, path])
  t.teardown(() => listener.kill('SIGKILL'))
  await once(listener.stdout, 'data')
  for (;;) {
    const socket = connect(path)
    t.teardown(() => socket.destroy())
    const refusal = await new Promise(resolve => {
      socket.once('connect', () => resolve(undefined))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })
    if (refusal === undefined) continue
    t.equal(refusal, 'EAGAIN')
    return
  }
}

both('while `ready` leads nowhere, pods are not wired yet', async (t, machine) => {
  symlinkSync('/run/podwire/ready', `${machine.plugins}/podwire.d/ready`)
  for (const [command, code] of [
    ['ADD', 11],
    ['STATUS', 50],
  ] as const) {
    const end = await machine.launch({ env: { CNI_COMMAND: command }, input: INPUT })
    t.same([end.code, end.stderr], [1, ''])
    t.strictSame(JSON.parse(String(end.stdout)), {
      cniVersion: '1.0.0',
      code,
      msg: 'Cannot wire pods yet: podwired has not come up since this node was started; try again',
    })
  }
  for (const command of ['DEL', 'CHECK', 'GC', 'VERSION', ''])
    t.same(executed(await machine.launch({ env: { CNI_COMMAND: command }, input: INPUT })).input, INPUT)
  writeFileSync(`${machine.run}/ready`, '')
  t.same(executed(await machine.launch(CALL)).input, INPUT)
})

both('what `ready` says is nothing to a podwired that answers', async (t, machine) => {
  symlinkSync('/run/podwire/ready', `${machine.plugins}/podwire.d/ready`)
  await taking(t, machine.run, caller => caller.answer('wired'))
  t.equal(String((await machine.launch(CALL)).stdout), 'wired')
})

both('an executable that is missing is a CNI error', async (t, machine) => {
  rmSync(`${machine.plugins}/podwire.d`, { recursive: true })
  const end = await machine.launch(CALL)
  t.equal(end.code, 1)
  t.strictSame(JSON.parse(String(end.stdout)), {
    cniVersion: '1.0.0',
    code: 5,
    msg: 'Cannot start the program in podwire.d: No such file or directory; install Podwire again',
  })
})

both('the built program answers through the launcher', async (t, machine) => {
  machine.useBuilt()
  const end = await machine.launch({ env: { CNI_COMMAND: 'VERSION' }, input: '{"cniVersion": "1.1.0"}' })
  t.same([end.code, end.stderr], [0, ''])
  t.match(JSON.parse(String(end.stdout)), { cniVersion: '1.1.0' })
})
