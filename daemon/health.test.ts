import t from 'tap'
import { Health } from './health.ts'

/** Health with a clock that the test turns, and what it has said. */
function stage() {
  const said: string[] = []
  const clock = { now: 0 }
  const say = (level: string) => (_: object, message: string) => void said.push(`${level} ${message}`)
  const log = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  const health = new Health(log, () => clock.now, 60_000)
  return { health, clock, take: () => said.splice(0) }
}

t.test('Health says each turn once, and retries only to who asks for them', async t => {
  const { health, clock, take } = stage()
  health.succeeded('routes')
  health.succeeded('routes')
  t.same(take(), ['info routes: in order'])
  clock.now = 1000
  health.failed('routes', 'Cannot set 1 routes')
  clock.now = 2000
  health.failed('routes', 'Cannot set 2 routes')
  t.same(take(), ['error routes: Cannot set 1 routes', 'debug routes: Cannot set 2 routes'])
  clock.now = 131_000
  health.succeeded('routes')
  t.same(take(), ['info routes: in order again after 130 s'])
})

t.test('Health says what a part waits for, once', async t => {
  const { health, take } = stage()
  health.waiting('node', 'this node has no podCIDRs yet')
  health.waiting('node', 'this node has no podCIDRs yet')
  health.waiting('node', 'there is no such node')
  t.same(take(), [
    'info node: waiting: this node has no podCIDRs yet',
    'info node: waiting: there is no such node',
  ])
  t.match(health.readiness({}).text, /^\[-\] node: waiting: there is no such node$/m)
})

t.test('Health says that something fails from the start', async t => {
  const { health, take } = stage()
  health.failed('api', 'connect ECONNREFUSED')
  t.same(take(), ['error api: connect ECONNREFUSED'])
})

t.test('Health is ready when all parts that count are in order', async t => {
  const { health, clock } = stage()
  for (const part of [
    'api',
    'node',
    'install',
    'socket',
    'sysctls',
    'routes',
    'masquerade',
    'policy',
  ] as const)
    health.succeeded(part)
  t.equal(health.readiness({}).ok, false)
  health.succeeded('conflist')
  t.equal(health.readiness({}).ok, true)
  health.failed('api', 'away')
  clock.now = 119_999
  t.equal(health.readiness({}).ok, true)
  clock.now = 120_000
  t.equal(health.readiness({}).ok, false)
})

t.test('Health is alive while rounds end, whether they succeed or not', async t => {
  const { health, clock } = stage()
  clock.now = 360_000
  t.equal(health.liveness().ok, true)
  clock.now = 360_001
  t.equal(health.liveness().ok, false)
  health.finished()
  t.same(health.liveness(), { ok: true, text: 'alive: the last round ended 0 s ago\n' })
})
