import { statSync } from 'node:fs'
import { TAKEN, encodeAnswer, type Frame } from '../../daemon/core/frame.ts'
import { both } from './both.ts'
import { podwired, taking } from './podwired.ts'

/*
 * podwired takes the call: what it gets to hear, and what becomes of its answer.
 */

const ADD = { CNI_COMMAND: 'ADD' }

both('podwired gets program, variables, input, and where paths lead', async (t, machine) => {
  let heard: Frame | undefined
  await taking(t, machine.run, (caller, frame) => {
    heard = frame
    caller.answer('')
  })
  const env = { ...ADD, CNI_NETNS: machine.plugins, CNI_ARGS: '', PODWIRE_TRACE: 'a=b ä' }
  const others = { CNI: '1', PODWIRE: '2', XCNI_X: '3', cni_x: '4', LD_LIBRARY_PATH: '/5' }
  const input = Buffer.from('{"\0\xff\n', 'latin1')
  const end = await machine.launch({ env: { ...others, ...env }, input })
  t.same([end.code, String(end.stdout), end.stderr], [0, '', ''])
  const { dev, ino } = statSync(machine.plugins, { bigint: true })
  t.strictSame(heard, {
    program: 'podwire',
    env,
    stdin: input,
    mounts: machine.mounts,
    netns: { dev, ino },
  })
})

both('podwired is told when CNI_NETNS leads nowhere', async (t, machine) => {
  const heard: unknown[] = []
  await taking(t, machine.run, (caller, { netns }) => {
    heard.push(netns)
    caller.answer('')
  })
  await machine.launch({ env: { CNI_COMMAND: 'DEL' } })
  await machine.launch({ env: { CNI_COMMAND: 'DEL', CNI_NETNS: '' } })
  await machine.launch({ env: { CNI_COMMAND: 'DEL', CNI_NETNS: '/run/netns/gone' } })
  t.strictSame(heard, [undefined, undefined, undefined])
})

both('the name of the launcher is the program', async (t, machine) => {
  const heard: string[] = []
  await taking(t, machine.run, (caller, { program }) => {
    heard.push(program)
    caller.answer('')
  })
  for (const name of ['podwire', 'podwire-ipam', 'another']) await machine.launch({ name, env: ADD })
  t.strictSame(heard, ['podwire', 'podwire-ipam', 'podwire'])
})

both('output, errors and exit code are those of podwired', async (t, machine) => {
  const codes = [0, 1, 2, 255, 256, 2 ** 32 - 1]
  await taking(t, machine.run, (caller, { env }) =>
    caller.answer(`out ${env['CNI_ARGS']}\0\n`, 'err ä', Number(env['CNI_ARGS'])),
  )
  for (const code of codes) {
    const end = await machine.launch({ env: { ...ADD, CNI_ARGS: String(code) } })
    const expected = [code > 255 ? 1 : code, `out ${code}\0\n`, 'err ä']
    t.same([end.code, String(end.stdout), end.stderr], expected, String(code))
  }
})

both('an answer of megabytes is printed to the last byte', async (t, machine) => {
  const [out, err] = ['0123456789abcde\n'.repeat(65_536), 'x'.repeat(300_000)]
  await taking(t, machine.run, caller => caller.answer(out, err))
  const end = await machine.launch({ env: ADD })
  t.equal(end.code, 0)
  t.ok(String(end.stdout) === out && end.stderr === err)
})

both('an answer that comes byte by byte is one', async (t, machine) => {
  await taking(t, machine.run, async caller => {
    for (const byte of encodeAnswer({ code: 3, stdout: 'slowly', stderr: 'come' })) {
      caller.say(new Uint8Array([byte]))
      await new Promise(setImmediate)
    }
    caller.end()
  })
  const end = await machine.launch({ env: ADD })
  t.same([end.code, String(end.stdout), end.stderr], [3, 'slowly', 'come'])
})

both('an answer may take longer than the taking', async (t, machine) => {
  await taking(t, machine.run, caller => void setTimeout(() => caller.answer('late'), 3000))
  const end = await machine.launch({ env: ADD })
  t.same([end.code, String(end.stdout)], [0, 'late'])
})

/** A daemon that has taken the call and never answers it whole. */
const deaths: Record<string, (caller: Parameters<Parameters<typeof podwired>[2]>[0]) => Promise<unknown>> = {
  'after it took the call': async caller => (caller.say(TAKEN), caller.end()),
  'after the launcher let go': async caller => (await caller.take(), caller.die()),
  'in the head of the answer': async caller => (
    await caller.take(),
    caller.say('\0\0\0\0\x05'),
    caller.end()
  ),
  'in the middle of the answer': async caller => {
    await caller.take()
    caller.say(encodeAnswer({ code: 0, stdout: '{"cniVersion"', stderr: 'e' }).subarray(0, -1))
    caller.end()
  },
}

const tryAgain = {
  cniVersion: '1.0.0',
  code: 11,
  msg: 'Cannot tell how the call ended: podwired took it and did not answer; try again',
}

for (const [when, die] of Object.entries(deaths))
  both(`a call is to be tried again when podwired dies ${when}`, async (t, machine) => {
    await podwired(t, machine.run, async caller => {
      await caller.call()
      await die(caller)
    })
    const end = await machine.launch({ env: ADD })
    t.same([end.code, end.stderr], [1, ''])
    t.strictSame(JSON.parse(String(end.stdout)), tryAgain)
  })

both('a podwired that promises gigabytes is not awaited', async (t, machine) => {
  await taking(t, machine.run, caller => caller.say(new Uint8Array(12).fill(255)))
  t.strictSame(JSON.parse(String((await machine.launch({ env: ADD })).stdout)), tryAgain)
})

both('fifty launchers at the same time get an answer each', async (t, machine) => {
  await taking(t, machine.run, (caller, { stdin }) => caller.answer(Buffer.from(stdin).toString()))
  const inputs = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(1000 * (i + 1)))
  const ends = await Promise.all(inputs.map(input => machine.launch({ env: ADD, input })))
  t.same(
    ends.map(({ code }) => code),
    inputs.map(() => 0),
  )
  for (const [i, { stdout }] of ends.entries()) t.ok(String(stdout) === inputs[i], String(i))
})

both('a runtime that reads no answer gets an exit code', async (t, machine) => {
  await taking(t, machine.run, caller => caller.answer('x'.repeat(1_000_000)))
  const shell = '{ "$@"; echo $? >&2; } | true'
  const { stderr } = await machine.launch({ env: ADD, shell })
  t.equal(stderr, '1\n')
})

both('a runtime that stops reading is left after ten seconds', async (t, machine) => {
  await taking(t, machine.run, caller => caller.answer('x'.repeat(1_000_000)))
  const shell = 'mkfifo "$1.out" && exec 3<>"$1.out" && "$@" >&3; echo $?'
  const { stdout, ms } = await machine.launch({ env: ADD, shell })
  t.equal(String(stdout), '1\n')
  t.ok(ms >= 10_000)
})

both('without a place to print, the exit code is what there is', async (t, machine) => {
  await taking(t, machine.run, caller => caller.answer('out', 'err', 7))
  const end = await machine.launch({ env: ADD, shell: 'exec "$@" <&- >&- 2>&-' })
  t.equal(end.code, 7)
})
