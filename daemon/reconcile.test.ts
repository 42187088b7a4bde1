import t, { type Test } from 'tap'
import { Loop, type LoopOptions, type Part, Waiting } from './reconcile.ts'

const touched = (...podCidrs: string[]) => ({ podCidrs: new Set(podCidrs), addresses: new Set<string>() })

/** A loop over parts that only write down what is asked of them, and fail as told. */
function stage(t: Test, options: Partial<LoopOptions> & { broken?: Set<string> } = {}) {
  const diary: string[] = []
  const broken = options.broken ?? new Set()
  const listeners = new Set<() => void>()
  const note = (line: string) => {
    diary.push(line)
    for (const listener of listeners) listener()
  }
  const part = (name: Part['name'], needs: Part['name'][] = []): Part => ({
    name,
    needs,
    reconcile: async () => {
      note(`all ${name}`)
      if (broken.has(name)) throw new Error(`Cannot do ${name}`)
    },
    update: async ({ podCidrs }) => {
      note(`${[...podCidrs].join()} ${name}`)
      if (broken.has(name)) throw new Error(`Cannot do ${name}`)
    },
  })
  const abort = new AbortController()
  const loop = new Loop({
    parts: [part('routes'), part('masquerade'), part('conflist', ['routes', 'masquerade'])],
    watcher: {
      succeeded: name => note(`${name} is well`),
      waiting: (name, reason) => note(`${name} waits: ${reason}`),
      failed: (name, problem) => note(`${name} fails: ${problem}`),
      finished: kind => note(`end of ${kind}`),
    },
    resyncMs: 60_000,
    retryMs: () => 60_000,
    now: () => performance.now(),
    ...options,
  })
  const done = loop.run(abort.signal)
  t.teardown(async () => {
    abort.abort()
    await done
  })
  /** The diary's lines up to the next one that is wanted; they are then forgotten. */
  const until = (wanted: string): Promise<string[]> =>
    new Promise(resolve => {
      const look = () => {
        const at = diary.indexOf(wanted)
        if (at < 0) return
        listeners.delete(look)
        resolve(diary.splice(0, at + 1))
      }
      listeners.add(look)
      look()
    })
  return { loop, broken, until, abort, done }
}

t.test('The loop begins with a look at everything, in order', async t => {
  const { until } = stage(t)
  t.same(await until('end of full'), [
    'all routes',
    'routes is well',
    'all masquerade',
    'masquerade is well',
    'all conflist',
    'conflist is well',
    'end of full',
  ])
})

t.test('The loop carries out a change alone, and many changes together', async t => {
  const { loop, until } = stage(t)
  await until('end of full')
  loop.touched(touched('A'))
  loop.touched(touched('B'))
  t.same(await until('end of change'), ['A,B routes', 'A,B masquerade', 'A,B conflist', 'end of change'])
})

t.test('The loop leaves a part alone while one that it needs fails, and goes on with the others', async t => {
  const { until } = stage(t, { broken: new Set(['routes']) })
  t.same(await until('end of full'), [
    'all routes',
    'routes fails: Cannot do routes',
    'all masquerade',
    'masquerade is well',
    'end of full',
  ])
})

t.test('The loop tells waiting from failing', async t => {
  const parts: Part[] = [
    {
      name: 'node',
      needs: [],
      reconcile: () => {
        throw new Waiting('no podCIDR yet')
      },
    },
  ]
  t.same(await stage(t, { parts }).until('end of full'), ['node waits: no podCIDR yet', 'end of full'])
})

t.test('The loop tries everything again after a failure, later with each failure in a row', async t => {
  const asked: number[] = []
  const { broken, until } = stage(t, {
    broken: new Set(['masquerade']),
    retryMs: failures => {
      asked.push(failures)
      return 1
    },
  })
  for (let round = 0; round < 3; round += 1) await until('end of full')
  broken.clear()
  await until('conflist is well')
  t.same(asked.slice(0, 3), [1, 2, 3])
})

t.test('The loop carries out no change in a part that still lacks what it needs', async t => {
  const { loop, broken, until } = stage(t, { broken: new Set(['routes']) })
  await until('end of full')
  broken.clear()
  loop.touched(touched('A'))
  t.same(await until('end of change'), ['A routes', 'A masquerade', 'end of change'])
})

t.test('The loop looks at everything again after a change that failed', async t => {
  const { loop, broken, until } = stage(t, { retryMs: () => 1 })
  await until('end of full')
  broken.add('routes')
  loop.touched(touched('A'))
  await until('end of change')
  broken.clear()
  t.same((await until('end of full')).slice(-7)[1], 'routes is well')
})

t.test('The loop looks at everything at intervals', async t => {
  const { until } = stage(t, { resyncMs: 1 })
  await until('end of full')
  await until('end of full')
})

t.test('The loop does what is asked for while a round is at work in the next one', async t => {
  const { loop, until } = stage(t)
  await until('all routes')
  loop.everything()
  loop.touched(touched('A'))
  loop.touched(touched())
  await until('end of full')
  t.ok((await until('end of full')).includes('all routes'))
})

t.test('The loop ends with its signal, also while it waits', async t => {
  const { until, abort, done } = stage(t)
  await until('end of full')
  abort.abort()
  await done
})
