import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Answer, Frame } from '../../daemon/core/frame.ts'
import { listen } from '../../daemon/edge/socket.ts'
import { encodeFrame } from '../support/frame.ts'
import { fakeLog } from '../support/log.ts'
import { Launcher } from './launcher.ts'

/** A server whose carrier keeps calls until the test answers them. */
async function stage(t: Test, takes: (frame: Frame) => boolean = () => true) {
  const folder = mkdtempSync('/tmp/podwire-socket-')
  const path = join(folder, 'run/podwired.sock')
  const { log, lines } = fakeLog()
  const calls: { frame: Frame; isAwaited: () => boolean; answer: (answer: Answer) => void }[] = []
  const carrier = {
    takes,
    carryOut: (frame: Frame, isAwaited: () => boolean) =>
      new Promise<Answer>(answer => calls.push({ frame, isAwaited, answer })),
  }
  const server = await listen(path, carrier, log)
  t.teardown(async () => {
    for (const { answer } of calls) answer({ code: 1, stdout: '', stderr: '' })
    await server.close()
    rmSync(folder, { recursive: true })
  })
  return { path, calls, lines, server, carrier, log }
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await nextTurn()
}

t.test('a call is carried out when its launcher says go, and answered', async t => {
  const { path, calls } = await stage(t)
  const launcher = new Launcher(path)
  launcher.call({ env: { CNI_COMMAND: 'ADD' }, stdin: '{}' })
  t.equal(await launcher.reply(), 'T')
  t.equal(calls.length, 0)
  launcher.say('G')
  await until(() => calls.length === 1)
  t.equal(calls[0]?.frame.env['CNI_COMMAND'], 'ADD')
  calls[0]?.answer({ code: 0, stdout: '{"ips": []}\n', stderr: 'a word\n' })
  t.same(await launcher.answer(), { code: 0, stdout: '{"ips": []}\n', stderr: 'a word\n' })
})

t.test('a launcher that leaves before its go is not served', async t => {
  const { path, calls } = await stage(t)
  const [early, late] = [new Launcher(path), new Launcher(path)]
  early.call({})
  await early.reply()
  early.leave()
  await early.closed()
  late.call({})
  await late.reply()
  late.say('G')
  await until(() => calls.length > 0)
  t.equal(calls.length, 1)
})

t.test('who carries a call out learns that its launcher is gone', async t => {
  const { path, calls } = await stage(t)
  const launcher = new Launcher(path)
  launcher.call({})
  await launcher.reply()
  launcher.say('G')
  await until(() => calls.length === 1)
  t.ok(calls[0]?.isAwaited())
  launcher.leave()
  await until(() => !calls[0]?.isAwaited())
})

t.test('a call that is not one for the daemon is given back', async t => {
  const { path, calls } = await stage(t, () => false)
  const launcher = new Launcher(path)
  launcher.call({})
  t.equal(await launcher.reply(), 'N')
  await launcher.closed()
  t.equal(calls.length, 0)
})

t.test('a call may come in pieces', async t => {
  const { path, calls } = await stage(t)
  const launcher = new Launcher(path)
  const stdin = '{"name": "pods"}'
  for (const byte of encodeFrame({ stdin })) {
    launcher.say(Buffer.of(byte))
    await nextTurn()
  }
  t.equal(await launcher.reply(), 'T')
  launcher.say('G')
  await until(() => calls.length === 1)
  t.equal(Buffer.from(calls[0]!.frame.stdin).toString(), stdin)
})

t.test('what is no call is closed and told, and nobody else notices', async t => {
  const { path, lines, calls } = await stage(t)
  const [stranger, impatient, launcher] = [new Launcher(path), new Launcher(path), new Launcher(path)]
  stranger.say('GET / HTTP/1.1\r\nHost: podwired.example.com\r\n\r\n')
  await stranger.closed()
  t.match(lines.at(-1), /Cannot read a call on the socket/)
  impatient.call({})
  await impatient.reply()
  impatient.say('X')
  await impatient.closed()
  t.equal(calls.length, 0)
  launcher.call({})
  t.equal(await launcher.reply(), 'T')
})

t.test('the socket is for root alone, and goes with its server', async t => {
  const { path, server } = await stage(t)
  t.equal(lstatSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(path, '..')), ['podwired.sock'])
  await server.close()
  t.same(readdirSync(join(path, '..')), [])
})

t.test('a server that ends answers the calls at work, and leaves the socket of its successor', async t => {
  const { path, calls, server, carrier, log } = await stage(t)
  const launcher = new Launcher(path)
  launcher.call({})
  await launcher.reply()
  launcher.say('G')
  await until(() => calls.length === 1)
  const successor = await listen(path, carrier, log)
  const closed = server.close()
  const other = new Launcher(path)
  other.call({})
  t.equal(await other.reply(), 'T')
  calls[0]?.answer({ code: 0, stdout: 'late', stderr: '' })
  t.equal((await launcher.answer())?.stdout, 'late')
  await closed
  other.leave()
  await successor.close()
})
