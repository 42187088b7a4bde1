import t from 'tap'
import { ATTACHMENT_ENV, fakeWorld } from '../../test/support/world.ts'
import { parseNetworkConfig } from './config.ts'
import { type Operation, parseEnvironment } from './environment.ts'
import type { JsonObject } from './read.ts'
import { openTrace, SILENT } from './trace.ts'
import type { World } from './world.ts'

function open(world: World, keys: JsonObject = {}, command: Operation = 'ADD') {
  const config = parseNetworkConfig({ cniVersion: '1.0.0', name: 'net', ...keys })
  return openTrace(world, parseEnvironment(command, ATTACHMENT_ENV), config, 1000)
}

const LINES = [
  '# ADD c1/eth0 of network "net", cniVersion 1.0.0',
  '    1.00    +1.00  ip link set eth0 up',
  "    2.00    +1.00  nft -f - <<'EOF'",
  '                   add table inet podwire',
  '                   EOF',
  '# ADD c1/eth0 took 3.00 ms: done',
]

function trace(world: World, keys?: JsonObject): void {
  const opened = open(world, keys)
  opened.step('ip link set eth0 up')
  opened.step(() => "nft -f - <<'EOF'\nadd table inet podwire\nEOF")
  opened.end('done')
}

t.test('openTrace() is silent unless asked for', async t => {
  const { world } = fakeWorld()
  t.equal(open(world), SILENT)
  t.equal(open(world, { trace: '' }), SILENT)
  t.equal(open(world, { trace: null }), SILENT)
})

t.test('openTrace() writes each step to stderr for --trace', async t => {
  const { world, stderr } = fakeWorld({ argv: ['--trace'] })
  trace(world)
  t.strictSame(stderr.join('\n'), LINES.join('\n'))
})

t.test('openTrace() writes a whole call at its end to the file of PODWIRE_TRACE', async t => {
  const { world, files, stderr } = fakeWorld({ env: { PODWIRE_TRACE: '/a' } })
  trace(world, { trace: '/b' })
  trace(world)
  t.strictSame([...files.keys()], ['/a'])
  t.equal(files.get('/a')?.split('\n').length, 2 * LINES.length + 1)
  t.strictSame(stderr, [])
})

t.test('openTrace() writes to the file that the config names', async t => {
  const { world, files } = fakeWorld()
  trace(world, { trace: '/b' })
  t.equal(files.get('/b'), `${LINES.join('\n')}\n`)
})

t.test('openTrace() names the network alone when there is no attachment', async t => {
  const { world, stderr } = fakeWorld({ argv: ['--trace'] })
  open(world, {}, 'GC').end('done')
  t.strictSame(stderr, ['# GC of network "net", cniVersion 1.0.0', '# GC took 1.00 ms: done'])
})

for (const path of ['relative', 5, ['/a']]) {
  t.test(`openTrace() reports that it cannot write to ${JSON.stringify(path)}`, async t => {
    const { world, files, stderr } = fakeWorld()
    trace(world, { trace: path })
    t.strictSame([...files], [])
    t.match(stderr, [`Cannot write the trace to ${JSON.stringify(path)}: it must be an absolute path`])
  })
}

t.test('openTrace() reports a file that cannot be written, and goes on', async t => {
  const { world, stderr } = fakeWorld()
  const append = () => {
    throw new Error('EACCES: permission denied')
  }
  trace({ ...world, append }, { trace: '/b' })
  t.strictSame(stderr, ['Cannot write the trace to "/b": EACCES: permission denied'])
})
