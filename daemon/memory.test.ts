import t from 'tap'
import { Memory } from './memory.ts'

const MIB = 1024 * 1024

t.test('tidy() collects garbage only when there may be much of it', async t => {
  const heap = {
    used: 0,
    collections: 0,
    heapUsed: () => heap.used,
    collectGarbage: () => {
      heap.collections += 1
      heap.used = 20 * MIB
    },
  }
  const memory = new Memory(heap)
  for (const [used, collections] of [
    [10 * MIB, 0],
    [80 * MIB, 1],
    [35 * MIB, 1],
    [36 * MIB, 2],
  ] as const) {
    heap.used = used
    memory.tidy()
    t.equal(heap.collections, collections)
  }
})

t.test('tidy() gives back what nobody uses any more', async t => {
  const memory = new Memory()
  memory.tidy()
  let garbage: unknown[] | undefined = Array.from({ length: 2_000_000 }, (_, i) => ({ i }))
  const before = process.memoryUsage().heapUsed
  t.equal(garbage.length, 2_000_000)
  garbage = undefined
  memory.tidy()
  t.ok(process.memoryUsage().heapUsed < before - 16 * MIB)
})
