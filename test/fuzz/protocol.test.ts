import fc from 'fast-check'
import assert from 'node:assert/strict'
import t from 'tap'
import { CniError, CODES, type ErrorKind } from '../../cni/spec/error.ts'
import { isObject, type Json, type JsonObject } from '../../cni/spec/read.ts'
import { parsePrevResult } from '../../cni/spec/result-parse.ts'
import type { Call, Plugin } from '../../cni/spec/plugin.ts'
import { run } from '../../cni/spec/run.ts'
import { NEWEST, VERSIONS } from '../../cni/spec/version.ts'
import { arbitraryResult } from '../support/result.ts'
import { fakePlugin, fakeWorld } from '../support/world.ts'

/*
 * Whatever comes in, a call ends with exactly one JSON on stdout, or none after a success of a command that has
 * nothing to say; and an error is one that a runtime can read.
 */

const RUNS = { numRuns: 2000 }

const oneOf = (...texts: string[]) => fc.constantFrom(...texts)
const anything = fc.string({ unit: 'binary', maxLength: 20 })
const command = oneOf('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION')

/** Mostly right, so that a good part of all calls comes through to the plugin. */
const variable = (...right: string[]) =>
  fc.oneof({ weight: 30, arbitrary: oneOf(...right) }, anything, fc.constant(undefined))

const environment = fc.record({
  CNI_COMMAND: fc.oneof({ weight: 12, arbitrary: command }, anything),
  CNI_CONTAINERID: variable('c1'),
  CNI_NETNS: variable('/run/netns/c1'),
  CNI_IFNAME: variable('eth0'),
  CNI_PATH: variable('/opt/cni/bin'),
  CNI_ARGS: variable('', 'IgnoreUnknown=1;K8S_POD_NAME=p'),
  CNI_NETNS_OVERRIDE: variable('1', ''),
  PODWIRE_TRACE: variable('', '/trace'),
})

const json = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>
const orAnything = (arbitrary: fc.Arbitrary<unknown>) => fc.oneof({ weight: 30, arbitrary }, json)

const route = fc.record({ dst: orAnything(oneOf('::/0', '10.0.0.0/8')), gw: orAnything(oneOf('10.0.0.1')) })
const prevResult = fc.record(
  {
    cniVersion: orAnything(oneOf(...VERSIONS)),
    interfaces: orAnything(fc.array(orAnything(fc.record({ name: orAnything(oneOf('eth0')) })))),
    ips: orAnything(
      fc.array(
        fc.record({ address: orAnything(oneOf('10.0.0.2/8')), interface: orAnything(fc.constant(null)) }),
      ),
    ),
    ip4: orAnything(fc.record({ ip: orAnything(oneOf('10.0.0.2/8')), routes: fc.array(route) })),
    routes: orAnything(fc.array(route)),
    dns: orAnything(fc.record({ search: orAnything(fc.array(anything)) })),
  },
  { requiredKeys: [] },
)

const nearlyValid = fc.record(
  {
    // The newest is the only one in which all commands get through.
    cniVersion: orAnything(fc.oneof(oneOf(NEWEST), oneOf(...VERSIONS))),
    cniVersions: json,
    name: orAnything(oneOf('net')),
    trace: json,
    prevResult: orAnything(prevResult),
    'cni.dev/valid-attachments': orAnything(
      fc.array(fc.record({ containerID: orAnything(oneOf('c1')), ifname: orAnything(oneOf('eth0')) })),
    ),
    ipam: json,
  },
  { requiredKeys: ['cniVersion', 'name'] },
)

const stdin = fc.oneof(
  { weight: 12, arbitrary: nearlyValid.map(config => JSON.stringify(config)) },
  json.map(value => JSON.stringify(value)),
  fc.uint8Array(),
  fc.string({ unit: 'binary' }),
)

const kind = fc.constantFrom(...(Object.keys(CODES) as ErrorKind[]))
const thrown = fc.oneof(
  fc.tuple(kind, anything, anything).map(([k, message, details]) => new CniError(k, message, { details })),
  fc.tuple(anything, fc.anything()).map(([message, cause]) => new Error(message, { cause })),
  fc.anything({ withNullPrototype: true }),
)
/** What the plugin throws at this call; nothing in half of all cases. */
const failure = fc.option(
  thrown.map(value => ({ value })),
  { freq: 1 },
)

function pluginThat(result: Awaited<ReturnType<Plugin['add']>>, fails: { value: unknown } | null): Plugin {
  const work = async ({ config, trace }: Call): Promise<void> => {
    parsePrevResult(config)
    trace.step('ip link\nip address')
    if (fails !== null) throw fails.value
  }
  const add: Plugin['add'] = async call => {
    await work(call)
    return result
  }
  return fakePlugin({ add, del: work, check: work, gc: work, status: work })
}

const SPEAKING = new Set(['ADD', 'VERSION'])

/** What must hold of every call's end. */
function judge(command: string | undefined, code: number, stdout: readonly string[]): void {
  if ((command ?? '') === '') return assert.deepEqual([code, stdout], [0, []])
  assert.ok(code === 0 || code === 1)
  assert.equal(stdout.length, code === 1 || SPEAKING.has(command ?? '') ? 1 : 0)
  if (stdout.length > 0) judgeJson(JSON.parse(stdout.join('')) as Json, code)
}

function judgeJson(json: Json, code: number): void {
  assert.ok(isObject(json))
  assert.ok((VERSIONS as readonly unknown[]).includes(json['cniVersion']))
  if (code === 1) judgeError(json)
}

function judgeError(json: JsonObject): void {
  assert.ok(Number.isInteger(json['code']) && (json['code'] as number) > 0)
  assert.equal(typeof json['msg'], 'string')
  assert.ok(['string', 'undefined'].includes(typeof json['details']))
}

t.test('run() always ends with one JSON or none', async t => {
  const codes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(environment, stdin, arbitraryResult, failure, async (env, input, result, fails) => {
      const { world, stdout } = fakeWorld({ env, stdin: input })
      const code = await run(world, pluginThat(result, fails))
      judge(env.CNI_COMMAND, code, stdout)
      const kind = `${env.CNI_COMMAND} ${code}`
      codes.set(kind, (codes.get(kind) ?? 0) + 1)
    }),
    RUNS,
  )
  // The dice are of use only while they get through to the plugin.
  for (const command of ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS']) t.ok(codes.has(`${command} 0`), command)
})

t.test('run() answers bytes that are no config at all', async () => {
  const env = { CNI_COMMAND: 'STATUS' }
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async input => {
      const { world, stdout } = fakeWorld({ env, stdin: input })
      judge('STATUS', await run(world, fakePlugin()), stdout)
    }),
    RUNS,
  )
})
