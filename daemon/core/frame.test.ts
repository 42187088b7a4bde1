import fc from 'fast-check'
import t from 'tap'
import { encodeFrame } from '../../test/support/frame.ts'
import { encodeAnswer, parseFrame } from './frame.ts'

const said = fc.record({
  program: fc.constantFrom('podwire', 'podwire-ipam'),
  env: fc.dictionary(
    fc.stringMatching(/^(CNI|PODWIRE)_[A-Z]{1,9}$/),
    fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\0')),
  ),
  stdin: fc.uint8Array({ maxLength: 300 }),
  mounts: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  netns: fc.option(
    fc.record({
      dev: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      ino: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
    }),
    { nil: undefined },
  ),
})

t.test('parseFrame() reads what a launcher says, once all of it has come', async t => {
  const check = fc.property(said, fc.nat(), (call, cut) => {
    const bytes = encodeFrame(call)
    t.equal(parseFrame(bytes.subarray(0, cut % bytes.length)), undefined)
    const frame = parseFrame(bytes)
    t.same({ ...frame, stdin: undefined }, { ...call, stdin: undefined })
    t.same(Buffer.from(frame?.stdin ?? []), Buffer.from(call.stdin))
  })
  fc.assert(check, { numRuns: 200 })
})

t.test('parseFrame() refuses what is no call', async t => {
  const message = 'Cannot read a call on the socket: it is none; only podwire-launch of this version may ask'
  const [web, huge] = [Buffer.alloc(40, 'GET / HTTP/1.1\r\n'), encodeFrame({})]
  huge.writeUInt32LE(2 ** 31, 4)
  for (const bytes of [web, huge]) t.throws(() => parseFrame(bytes), { message })
})

t.test('parseFrame() takes a variable without a value, and one whose value has an equals sign', async t => {
  const { env } = parseFrame(encodeFrame({ env: { CNI_ARGS: 'A=1;B=2', CNI_NETNS: '' } })) ?? {}
  t.strictSame({ ...env }, { CNI_ARGS: 'A=1;B=2', CNI_NETNS: '' })
})

t.test('encodeAnswer() counts bytes, not characters', async t => {
  const bytes = Buffer.from(encodeAnswer({ code: 1, stdout: 'ä', stderr: 'podwire: ß\n' }))
  t.same([bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)], [1, 2, 12])
  t.equal(bytes.subarray(12).toString(), 'äpodwire: ß\n')
})
