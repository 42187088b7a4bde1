import fc from 'fast-check'
import assert from 'node:assert/strict'
import { encodeAnswer } from '../../daemon/core/frame.ts'
import { both } from './both.ts'
import { type End, executed } from './machine.ts'
import { podwired } from './podwired.ts'

/*
 * Whatever the runtime gives and podwired says, the launcher prints an answer that is whole, or asks to try again, or
 * leaves the call to the executable; and the sanitizers find nothing.
 */

const RUNS = { numRuns: 80 }
/** The bytes of an answer before its output, and how much output the launcher believes. */
const HEAD = 12
const MAX_ANSWER = 64 * 1024 * 1024

const text = fc.string({ unit: 'binary', maxLength: 50 }).filter(value => !value.includes('\0'))
const name = fc.stringMatching(/^(CNI_|PODWIRE_|LD_)[A-Z]{1,8}$/)
const env = fc.dictionary(name, text, { maxKeys: 20 }).map(rest => ({ ...rest, CNI_COMMAND: 'DEL' }))
const input = fc.oneof(
  fc.uint8Array({ maxLength: 100 }),
  fc.uint8Array({ minLength: 60_000, maxLength: 70_000 }),
)

const answer = fc
  .record({ code: fc.oneof(fc.nat(255), fc.nat(2 ** 31)), stdout: fc.string(), stderr: fc.string() })
  .map(encodeAnswer)
const cut = fc.tuple(answer, fc.nat(80)).map(([bytes, length]) => bytes.subarray(0, length))
const reply = fc.oneof(
  { weight: 4, arbitrary: answer },
  { weight: 3, arbitrary: cut },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
)
const first = fc.oneof({ weight: 5, arbitrary: fc.constant('T') }, fc.constantFrom('N', 'G', '', '\0'))

/** Judges an end by what podwired said. */
function judge(end: End, said: Buffer, input: Uint8Array): void {
  if (said[0] !== 'T'.charCodeAt(0)) return assert.ok(executed(end).input.equals(input))
  const whole = said.subarray(1)
  if (!isWhole(whole)) {
    assert.deepEqual([end.code, end.stderr], [1, ''])
    return assert.equal((JSON.parse(String(end.stdout)) as { code: number }).code, 11)
  }
  const [code, at] = [whole.readUInt32LE(0), HEAD + whole.readUInt32LE(4)]
  assert.equal(end.code, code > 255 ? 1 : code)
  assert.ok(end.stdout.equals(whole.subarray(HEAD, at)))
  assert.equal(end.stderr, whole.toString('utf8', at, at + whole.readUInt32LE(8)))
}

function isWhole(bytes: Buffer): boolean {
  if (bytes.length < HEAD) return false
  const length = bytes.readUInt32LE(4) + bytes.readUInt32LE(8)
  return length <= MAX_ANSWER && bytes.length >= HEAD + length
}

both('every call ends as podwired said it, or as if there were none', async (t, machine) => {
  let said = Buffer.alloc(0)
  await podwired(t, machine.run, async caller => {
    await caller.call()
    caller.say(said)
    caller.end()
  })
  await fc.assert(
    fc.asyncProperty(env, input, first, reply, async (env, input, first, reply) => {
      said = Buffer.concat([Buffer.from(first), reply])
      judge(await machine.launch({ env, input }), said, input)
    }),
    RUNS,
  )
})
