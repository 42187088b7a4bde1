import t from 'tap'
import { FULL_RESULT } from '../../test/support/result.ts'
import { ATTACHMENT_ENV, fakePlugin, fakeWorld, type Given } from '../../test/support/world.ts'
import { CniError } from './error.ts'
import type { Plugin } from './plugin.ts'
import { formatResult } from './result-format.ts'
import { run } from './run.ts'
import { VERSIONS } from './version.ts'

const CONFIG = { cniVersion: '1.1.0', name: 'net', type: 'podwire' }
const given = (command: string, keys: object = {}, env: object = {}): Given => ({
  env: { ...ATTACHMENT_ENV, CNI_COMMAND: command, ...env },
  stdin: { ...CONFIG, ...keys },
})

/** Runs a call; the JSON is undefined when nothing was printed. */
async function call(input: Given, methods: Partial<Plugin> = {}) {
  const { world, stdout, stderr, files } = fakeWorld(input)
  const code = await run(world, fakePlugin(methods))
  const [text] = stdout
  const json: unknown = text === undefined ? undefined : JSON.parse(text)
  return { code, json, prints: stdout.length, stderr, files }
}

for (const env of [{}, { CNI_COMMAND: '' }, { CNI_COMMAND: undefined }]) {
  t.test(`run() introduces the plugin on stderr with ${JSON.stringify(env)}`, async t => {
    t.match(await call({ env }), {
      code: 0,
      prints: 0,
      stderr: [
        'a plugin for tests',
        'CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
      ],
    })
  })
}

t.test('run() answers VERSION without looking at stdin', async t => {
  const { world, stdout } = fakeWorld({ env: { CNI_COMMAND: 'VERSION' } })
  const stdin = () => t.fail('stdin was read') as never
  t.equal(await run({ ...world, stdin }, fakePlugin()), 0)
  t.strictSame(JSON.parse(stdout.join('')), { cniVersion: '1.1.0', supportedVersions: VERSIONS })
})

for (const cniVersion of VERSIONS) {
  t.test(`run() answers ADD in the shape of ${cniVersion}`, async t => {
    const { code, json, prints } = await call(given('ADD', { cniVersion }), { add: async () => FULL_RESULT })
    t.strictSame(json, formatResult(FULL_RESULT, cniVersion))
    t.strictSame([code, prints], [0, 1])
  })
}

t.test('run() takes a config without cniVersion for 0.1.0', async t => {
  const { json } = await call(given('ADD', { cniVersion: undefined }), { add: async () => FULL_RESULT })
  t.strictSame(json, formatResult(FULL_RESULT, '0.1.0'))
})

t.test('run() tolerates the list of cniVersions and keys it does not know', async t => {
  const keys = { cniVersions: ['0.4.0', '1.1.0'], capabilities: { portMappings: true }, 'x.y/z': [] }
  t.equal((await call(given('ADD', keys))).code, 0)
})

for (const command of ['DEL', 'CHECK', 'GC', 'STATUS'] as const) {
  t.test(`run() prints nothing after ${command}`, async t => {
    const { code, prints, stderr } = await call(given(command))
    t.strictSame([code, prints, stderr], [0, 0, []])
  })
}

t.test('run() calls the method of the command with what it needs', async t => {
  const seen: string[] = []
  const methods: Partial<Plugin> = {
    add: async ({ attachment, netns }) => {
      seen.push(`add ${attachment.containerId}/${attachment.ifname} ${netns}`)
      return FULL_RESULT
    },
    check: async ({ attachment, netns }) => void seen.push(`check ${attachment.containerId} ${netns}`),
    del: async ({ attachment, netns }) => void seen.push(`del ${attachment.containerId} ${netns}`),
    gc: async ({ valid }) => void seen.push(`gc ${JSON.stringify(valid)}`),
    status: async ({ config }) => void seen.push(`status ${config.name}`),
  }
  for (const command of ['ADD', 'CHECK', 'DEL', 'GC', 'STATUS']) await call(given(command), methods)
  await call(given('DEL', {}, { CNI_NETNS: '' }), methods)
  await call(given('GC', { 'cni.dev/valid-attachments': [{ containerID: 'c1', ifname: 'eth0' }] }), methods)
  t.strictSame(seen, [
    'add c1/eth0 /run/netns/c1',
    'check c1 /run/netns/c1',
    'del c1 /run/netns/c1',
    'gc undefined',
    'status net',
    'del c1 undefined',
    'gc [{"containerId":"c1","ifname":"eth0"}]',
  ])
})

/** Environment and config of a call, the code and message of its error, and the version that the error is in. */
const refusals: [name: string, input: Given, code: number, msg: string | RegExp, version: string][] = [
  ['an unknown command', given('PING'), 4, 'unknown CNI_COMMAND', '1.1.0'],
  [
    'ADD without anything',
    { env: { CNI_COMMAND: 'ADD' } },
    4,
    'required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing',
    '1.1.0',
  ],
  [
    'DEL without anything',
    { env: { CNI_COMMAND: 'DEL' } },
    4,
    'required env variables [CNI_CONTAINERID,CNI_IFNAME] missing',
    '1.1.0',
  ],
  ['CHECK without netns', given('CHECK', {}, { CNI_NETNS: '' }), 4, '[CNI_NETNS]', '1.1.0'],
  ['GC without CNI_PATH', given('GC', {}, { CNI_PATH: '' }), 4, '[CNI_PATH]', '1.1.0'],
  ['a bad container id', given('ADD', {}, { CNI_CONTAINERID: '../x' }), 4, '../x', '1.1.0'],
  ['a bad interface name', given('DEL', {}, { CNI_IFNAME: 'a/b' }), 4, 'a/b', '1.1.0'],
  ['bad CNI_ARGS', given('ADD', {}, { CNI_ARGS: 'A' }), 4, 'KEY=VALUE', '1.1.0'],
  ['an empty stdin', { ...given('ADD'), stdin: '' }, 6, 'it is empty', '1.1.0'],
  ['a broken stdin', { ...given('ADD'), stdin: '{"a":' }, 6, 'Cannot read the network config', '1.1.0'],
  ['a list on stdin', { ...given('ADD'), stdin: '[]' }, 6, 'not a JSON object', '1.1.0'],
  ['a config without name', given('ADD', { name: '' }), 7, 'missing network name', '1.1.0'],
  ['a bad name', given('ADD', { name: '..', cniVersion: '0.4.0' }), 7, 'network name ".."', '0.4.0'],
  ['a bad name before a bad version', given('ADD', { name: '', cniVersion: '9' }), 7, 'missing', '1.1.0'],
  ['an unknown version', given('ADD', { cniVersion: '9.9.9' }), 1, 'incompatible CNI versions', '1.1.0'],
  ['a version that is no text', given('ADD', { cniVersion: 1 }), 7, 'Cannot use "cniVersion"', '1.1.0'],
  ['CHECK in 0.3.1', given('CHECK', { cniVersion: '0.3.1' }), 1, 'does not allow CHECK', '0.3.1'],
  ['GC in 1.0.0', given('GC', { cniVersion: '1.0.0' }), 1, 'does not allow GC', '1.0.0'],
  ['STATUS in 1.0.0', given('STATUS', { cniVersion: '1.0.0' }), 1, 'does not allow STATUS', '1.0.0'],
  ['STATUS without a version', given('STATUS', { cniVersion: undefined }), 1, 'allow STATUS', '0.1.0'],
  [
    'GC with attachments that are none',
    given('GC', { 'cni.dev/valid-attachments': [{ containerID: '' }] }),
    7,
    'cni.dev/valid-attachments[0].containerID',
    '1.1.0',
  ],
]
for (const [name, input, code, msg, cniVersion] of refusals) {
  t.test(`run() refuses ${name}`, async t => {
    const never = async () => t.fail('the plugin was called') as never
    const answer = await call(input, { add: never, del: never, check: never, gc: never, status: never })
    t.match(answer, { code: 1, prints: 1, json: { cniVersion, code, msg } })
  })
}

t.test('run() prints the error of the plugin in the version of the config', async t => {
  const status = async () => {
    throw new CniError('not-available', 'Cannot allocate: the pool is exhausted')
  }
  t.match(await call(given('STATUS'), { status }), {
    code: 1,
    json: { cniVersion: '1.1.0', code: 50, msg: 'Cannot allocate: the pool is exhausted' },
    stderr: [],
  })
})

for (const thrown of [new TypeError('x is undefined'), 'x is undefined', undefined, null]) {
  t.test(`run() calls a thrown ${String(thrown)} a bug; the stack goes to stderr`, async t => {
    const { code, prints, json, stderr } = await call(given('DEL'), {
      del() {
        throw thrown
      },
    })
    t.match(json, { cniVersion: '1.1.0', code: 199, msg: 'Cannot finish DEL: this is a bug in Podwire' })
    t.notMatch(JSON.stringify(json), 'run.test.ts')
    t.strictSame([code, prints, stderr.length], [1, 1, 1])
  })
}

t.test('run() turns an error of stdin into an answer', async t => {
  const { world, stdout } = fakeWorld(given('ADD'))
  const stdin = async () => {
    throw new CniError('io', 'Cannot read standard input')
  }
  t.equal(await run({ ...world, stdin }, fakePlugin()), 1)
  t.match(JSON.parse(stdout.join('')), { cniVersion: '1.1.0', code: 5 })
})

t.test('run() ends with 1 when nobody reads the answer', async t => {
  const { world, stderr } = fakeWorld(given('ADD'))
  const stdout = () => {
    throw new Error('EPIPE: broken pipe, write')
  }
  t.equal(await run({ ...world, stdout }, fakePlugin()), 1)
  t.strictSame(stderr, ['Cannot write the answer to standard output: EPIPE: broken pipe, write'])
})

t.test('run() traces a call from its start to its outcome', async t => {
  const input = { ...given('DEL'), argv: ['--trace'] }
  const done = await call(input, { del: async ({ trace }) => trace.step('ip link del x') })
  t.match(done.stderr, [
    '# DEL c1/eth0 of network "net", cniVersion 1.1.0',
    '# environment and config are read',
    'ip link del x',
    /^# DEL c1\/eth0 took [\d.]+ ms: done$/,
  ])
  const failed = await call(input, {
    del: async () => {
      throw new CniError('io', 'no luck')
    },
  })
  t.match(failed.stderr.at(-1), /: failed: no luck$/)
  t.match(failed.json, { msg: 'no luck' })
})

t.test('run() succeeds although its trace cannot be written', async t => {
  const { code, prints, stderr } = await call(given('DEL', { trace: 'relative' }))
  t.match({ code, prints, stderr }, { code: 0, prints: 0, stderr: ['Cannot write the trace to "relative"'] })
})
