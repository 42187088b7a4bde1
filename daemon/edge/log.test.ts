import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { LogLevel } from '../core/options.ts'
import { openLog } from './log.ts'

process.env['NO_COLOR'] = '1'

/** What is written to a log's descriptor while `use` runs. */
function written(
  t: Test,
  isTerminal: boolean,
  use: (log: ReturnType<typeof openLog>) => void,
  level: LogLevel = 'info',
) {
  const path = join(t.testdir(), 'log')
  const fd = openSync(path, 'w')
  use(openLog(level, isTerminal, fd))
  closeSync(fd)
  return readFileSync(path, 'utf8')
}

/** A program that logs, as its own process: tests of how a process ends need one. */
const program = (text: string) => [
  '--no-warnings',
  '--input-type=module',
  '-e',
  `import { openLog } from '${import.meta.dirname}/log.ts'; const log = openLog('info', false); ${text}`,
]

t.test('openLog() writes a line of JSON: level as a word, time as ISO 8601, fields, sentence', async t => {
  const text = written(t, false, log => log.warn({ part: 'routes', count: 3 }, 'Cannot %s: no %d'))
  t.match(text, /^\{"level":"warn","time":"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",[^\n]*\}\n$/)
  const { time: _, ...others } = JSON.parse(text)
  t.same(others, { level: 'warn', part: 'routes', count: 3, msg: 'Cannot %s: no %d' })
})

t.test('openLog() writes a line for people on a terminal', async t => {
  const text = written(t, true, log => {
    log.info({ part: 'routes' }, 'Listening')
    log.error({}, 'Cannot go on')
  })
  t.match(
    text,
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: Listening \{"part":"routes"\}\n\[[\d:.]+\] ERROR: Cannot go on\n$/,
  )
})

t.test('openLog() leaves out what is below its level', async t => {
  for (const [level, lines] of [
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
  ] as const) {
    const text = written(
      t,
      false,
      log => {
        for (const each of ['debug', 'info', 'warn', 'error'] as const) log[each]({}, 'x')
      },
      level,
    )
    t.equal(text.split('\n').length - 1, lines, level)
  }
})

t.test('openLog() makes one line of each call whatever is in it, and gives all of it back', async t => {
  const strange = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\n{"level":"error","msg":"forged"}',
      '\\n',
      '\\\\n\n',
      '\u001b[2J',
      '\u009b2J',
      '\u202e',
      '\u2028',
    ),
  )
  fc.assert(
    fc.property(strange, strange, (message, field) => {
      const json = written(t, false, log => log.info({ field }, message))
      t.match(json, /^[^\p{Cc}\u2028\u2029\u202e]*\n$/u)
      t.match(JSON.parse(json), { msg: message, field })
      t.equal(JSON.parse(json).msg, message)
      t.equal(JSON.parse(json).field, field)
      const people = written(t, true, log => log.info({ field, [field]: 1 }, message))
      t.match(people, /^\[[\d:.]+\] INFO[^\p{Cc}\u2028\u2029\u202e]*\n$/u)
    }),
  )
})

t.test('openLog() keeps an error, a bigint and a circle from stopping anybody', async t => {
  const circle: Record<string, unknown> = { n: 2n }
  circle['self'] = circle
  const text = written(t, false, log => log.info({ err: new Error('gone'), circle }, 'Still here'))
  t.match(JSON.parse(text), { msg: 'Still here', err: { message: 'gone' }, circle: { n: 2 } })
})

t.test('openLog() has written every line when the process ends', async t => {
  const script = program(
    `for (let i = 0; i < 1000; i += 1) log.info({ i }, 'x'.repeat(200)); process.exit(7)`,
  )
  const child = spawn(process.execPath, script, { stdio: ['ignore', 'ignore', 'pipe'] })
  const chunks: Buffer[] = []
  child.stderr.on('data', chunk => chunks.push(chunk))
  t.same(await once(child, 'close'), [7, null])
  t.equal(String(Buffer.concat(chunks)).split('\n').length, 1001)
})

t.test('openLog() goes on when the disk is full, and when there is no stderr', async t => {
  const script = program(`log.info({}, 'x'); log.info({}, 'x'); console.log('went on')`)
  for (const redirect of ['2>/dev/full', '2>&-'])
    t.equal(
      execFileSync('sh', ['-c', `"$0" "$@" ${redirect}`, process.execPath, ...script], { encoding: 'utf8' }),
      'went on\n',
    )
})

t.test('openLog() goes on when nobody reads any more', async t => {
  const script = program(`
    await new Promise(resolve => process.stdin.on('end', resolve).resume())
    log.info({}, 'x'); log.info({}, 'x'); process.exitCode = 7`)
  const child = spawn(process.execPath, script, { stdio: 'pipe' })
  child.stderr.destroy()
  await once(child.stderr, 'close')
  child.stdin.end()
  t.same(await once(child, 'exit'), [7, null])
})
