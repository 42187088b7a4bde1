import t from 'tap'
import { reserve } from '../../ipam/add.ts'
import { ipam } from '../../ipam/plugin.ts'
import { callOf, Folder } from './calls.ts'
import type { Task } from './child.ts'
import { finish, grants, start } from './spawn.ts'

/** More calls of the file system than any verb makes. */
const MANY = 100

/**
 * Runs a verb in a process that dies at its first call of the file system, at its second, and so on until it lives.
 * Returns how often it died, and what it said when it lived.
 */
async function dieEverywhere(
  task: Task,
  after: () => Promise<void>,
): Promise<{ deaths: number; last: string | undefined }> {
  for (let call = 1; call <= MANY; call += 1) {
    const { signal, lines } = await finish({ ...task, dieAt: call })
    await after()
    if (signal === null) return { deaths: call - 1, last: lines.at(-1) }
  }
  throw new Error(`it still dies at call ${MANY}`)
}

// A process for each place to die at takes its time on a busy machine.
t.setTimeout(240_000)

function folderOfTwo(): { folder: Folder; keys: Task['ipam'] } {
  const folder = new Folder()
  const keys = { dataDir: folder.dataDir, ranges: [[{ subnet: '10.0.0.0/29' }], [{ subnet: 'fd00::/64' }]] }
  reserve(callOf({ ipam: keys, id: 'other' }))
  return { folder, keys }
}

const stateOf = (folder: Folder) => ({ addresses: folder.addresses(), index: folder.index() })

for (const remedy of ['del', 'gc'] as const) {
  t.test(`an ADD killed anywhere leaves nothing that ${remedy.toUpperCase()} does not remove`, async t => {
    const { folder, keys } = folderOfTwo()
    using _ = folder
    const before = stateOf(folder)
    const other = callOf({ ipam: keys, id: 'other' })
    const { deaths, last } = await dieEverywhere({ ipam: keys, ids: ['mine'], verbs: ['ADD'] }, async () => {
      await ipam[remedy]({ ...callOf({ ipam: keys, id: 'mine' }), valid: [other.attachment] })
      t.same(stateOf(folder), before)
    })
    t.ok(deaths > 20, `died at ${deaths} places`)
    t.match(last, /^ADD mine \d/)
  })
}

t.test('an ADD killed anywhere lets the same ADD succeed, or be refused for what it holds', async t => {
  const { folder, keys } = folderOfTwo()
  using _ = folder
  const before = stateOf(folder)
  const call = callOf({ ipam: keys, id: 'mine' })
  await dieEverywhere({ ipam: keys, ids: ['mine'], verbs: ['ADD'] }, async () => {
    try {
      reserve(call)
    } catch (error) {
      t.match(error, { kind: 'attachment-exists' })
    }
    const mine = Object.entries(folder.addresses()).filter(([, owner]) => owner === 'mine\r\neth0')
    t.ok(mine.length === 1 || mine.length === 2, `holds ${mine.length} addresses`)
    await ipam.del(call)
    t.same(stateOf(folder), before)
  })
})

t.test('a DEL killed anywhere is finished by the next one', async t => {
  const { folder, keys } = folderOfTwo()
  using _ = folder
  const before = stateOf(folder)
  const call = callOf({ ipam: keys, id: 'mine' })
  reserve(call)
  const { deaths, last } = await dieEverywhere({ ipam: keys, ids: ['mine'], verbs: ['DEL'] }, async () => {
    await ipam.del(call)
    t.same(stateOf(folder), before)
    reserve(call)
  })
  t.ok(deaths > 5, `died at ${deaths} places`)
  t.equal(last, 'DEL mine done')
})

t.test('processes killed at random moments never share an address, and DEL frees all of theirs', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/22' }
  const ids = (name: string): string[] => Array.from({ length: 2000 }, (_, i) => `${name}-${i}`)
  const outcomes = []
  for (let round = 0; round < 4; round += 1) {
    const names = [0, 1, 2].map(i => `r${round}p${i}`)
    const running = names.map(name => start({ ipam: keys, ids: ids(name), verbs: ['ADD'] }))
    for (const { process } of running)
      process.stdout!.once('data', () => setTimeout(() => process.kill('SIGKILL'), Math.random() * 20))
    outcomes.push(...(await Promise.all(running.map(({ outcome }) => outcome))))
  }
  t.ok(outcomes.every(({ signal }) => signal === 'SIGKILL'))
  const granted = grants(outcomes)
  t.ok(granted.length > 12, `${granted.length} addresses were given out`)
  t.equal(new Set(granted.map(([, ip]) => ip)).size, granted.length)
  const addresses = folder.addresses()
  for (const [id, ip] of granted) t.equal(addresses[ip], `${id}\r\neth0`)
  for (const owner of Object.values(addresses))
    await ipam.del(callOf({ ipam: keys, id: owner.split('\r')[0]! }))
  t.same(folder.addresses(), {})
  await ipam.gc(callOf({ ipam: keys }))
  t.same(folder.index(), [])
})
