import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import t from 'tap'
import type { ProgramsJob } from './batch.ts'
import { startChild } from './child.ts'
import { compile } from './compile.ts'
import { Runner } from './runner.ts'

const folder = mkdtempSync('/tmp/podwire-runner-')
t.teardown(() => rmSync(folder, { recursive: true }))
const program = compile('runner', folder)

const job = (startsAnew: boolean, ...scripts: readonly string[]): ProgramsJob => ({
  kind: 'programs',
  slot: 1,
  startsAnew,
  env: { PATH: '/usr/bin:/bin', FOLDER: folder },
  programs: scripts.map(script => ({ argv: ['/bin/sh', '-c', script], input: '{"name":"net"}' })),
})
const start = (): Runner => new Runner(startChild(program, [], ['pipe', 'pipe', 'ignore']))
const written = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8')

t.test('a program gets the result of the one before, and the next job of the slot the last one', async t => {
  const runner = start()
  const result = `cat >"$FOLDER/first"; printf '{"ips":[]}'`
  await runner.run([job(true, result, 'cat >"$FOLDER/second"')])
  t.equal(written('first'), '{"name":"net"}')
  t.equal(written('second'), '{"name":"net","prevResult":{"ips":[]}}')
  await runner.run([job(false, 'cat >"$FOLDER/del"'), job(true, 'cat >"$FOLDER/anew"')])
  t.equal(written('del'), '{"name":"net","prevResult":{"ips":[]}}')
  t.equal(written('anew'), '{"name":"net"}')
  runner.close()
})

t.test('every job has its cost, also when several are at work', async t => {
  const runner = start()
  const jobs = Array.from({ length: 9 }, (_, slot) => ({ ...job(true, 'cat'), slot }))
  const { costs, ms } = await runner.run(jobs, 4)
  t.equal(costs.length, 9)
  for (const cost of costs) t.ok(cost.ms > 0 && cost.ms <= ms && cost.memoryMb > 0 && cost.cpuMs > 0)
  runner.close()
})

t.test('a program that fails ends the run', async t => {
  const runner = start()
  await t.rejects(runner.run([job(true, 'true'), job(true, 'exit 3')]), /a call failed/)
})
