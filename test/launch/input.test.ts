import { both } from './both.ts'
import { executed } from './machine.ts'
import { podwired, taking } from './podwired.ts'

/*
 * Standard input and variables of every size and kind: to the last byte, or refused.
 */

const ADD = { CNI_COMMAND: 'ADD' }
const MAX = 4 * 1024 * 1024

/** Bytes of all values in an order that shows what is missing. */
const binary = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, i) => i * (1 + (i >> 8))))

both('input of every size comes to podwired as it is', async (t, machine) => {
  let heard: Buffer | undefined
  await taking(t, machine.run, (caller, { stdin }) => {
    heard = Buffer.from(stdin)
    caller.answer('')
  })
  for (const length of [0, 1, 4095, 4096, 4097, 65_536, 1_000_000, MAX]) {
    const input = binary(length)
    t.equal((await machine.launch({ env: ADD, input })).code, 0)
    t.ok(heard?.equals(input), `${length} bytes`)
  }
})

both('input of every size comes to the executable as it is', async (t, machine) => {
  for (const length of [0, 1, 4097, 1_000_000, MAX]) {
    const input = binary(length)
    t.ok(executed(await machine.launch({ env: ADD, input })).input.equals(input), `${length} bytes`)
  }
})

both('podwired is not asked about more than a config can be', async (t, machine) => {
  await podwired(t, machine.run, () => t.fail('was asked'))
  const input = binary(10_000_000)
  const end = await machine.launch({ env: ADD, input })
  t.ok(executed(end).input.equals(input.subarray(0, MAX + 1)), 'which is for the executable to refuse')
})

both('a config of 10 MB is a CNI error', async (t, machine) => {
  machine.useBuilt()
  const end = await machine.launch({ env: { CNI_COMMAND: 'STATUS' }, input: ' '.repeat(10_000_000) })
  t.same([end.code, end.stderr], [1, ''])
  const msg =
    /^Cannot read standard input: it is longer than 4194304 bytes; a network config is a few kilobytes$/
  t.match(JSON.parse(String(end.stdout)), { code: 5, msg })
})

both('input that does not end is a CNI error after ten seconds', async (t, machine) => {
  await podwired(t, machine.run, () => t.fail('was asked'))
  const end = await machine.launch({ env: ADD, input: null })
  t.same([end.code, end.stderr], [1, ''])
  t.ok(end.ms >= 10_000)
  t.strictSame(JSON.parse(String(end.stdout)), {
    cniVersion: '1.0.0',
    code: 5,
    msg: 'Cannot read standard input: it stayed open for 10 s; close it after the config',
  })
})

const kinds: Record<string, { shell: string; input: string }> = {
  'that is closed': { shell: 'exec "$@" <&-', input: '' },
  'with nothing in it': { shell: 'exec "$@" </dev/null', input: '' },
  'that is a file': { shell: 'echo file >"$1.in"; exec "$@" <"$1.in"', input: 'file\n' },
  'that is a pipe': { shell: '{ echo one; echo two; } | "$@"', input: 'one\ntwo\n' },
}

for (const [kind, { shell, input }] of Object.entries(kinds))
  both(`standard input ${kind} can be handed on`, async (t, machine) => {
    const heard: string[] = []
    t.equal(String(executed(await machine.launch({ env: ADD, shell })).input), input)
    await taking(t, machine.run, (caller, { stdin }) => {
      heard.push(Buffer.from(stdin).toString())
      caller.answer('')
    })
    t.equal((await machine.launch({ env: ADD, shell })).code, 0)
    t.same(heard, [input])
  })

both('standard input that cannot be read is a CNI error', async (t, machine) => {
  const end = await machine.launch({ env: ADD, shell: 'exec "$@" </proc' })
  t.same([end.code, end.stderr], [1, ''])
  t.strictSame(JSON.parse(String(end.stdout)), {
    cniVersion: '1.0.0',
    code: 5,
    msg: 'Cannot read standard input: Is a directory; give it a network config',
  })
})

both('variables may be many and long', async (t, machine) => {
  const long = Array.from({ length: 12 }, (_, i): [string, string] => [
    `CNI_${i}`,
    String(i % 10).repeat(131_000),
  ])
  const many = Array.from({ length: 3000 }, (_, i): [string, string] => [`PODWIRE_${i}`, String(i)])
  const env = { ...ADD, ...Object.fromEntries([...long, ...many]) }
  t.equal(executed(await machine.launch({ env: { ...env, CNI_ARGS: 'x' } })).cniArgs, 'x')
  let heard: unknown
  await taking(t, machine.run, (caller, frame) => {
    heard = frame.env
    caller.answer('')
  })
  t.equal((await machine.launch({ env })).code, 0)
  t.strictSame(heard, env)
})
