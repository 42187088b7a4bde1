import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { reserve } from '../../ipam/add.ts'
import { isUnderWay } from '../../ipam/edge/index.ts'
import { exclusively, tryLock } from '../../ipam/edge/lock.ts'
import { storeOf } from '../../ipam/open.ts'
import { ipam } from '../../ipam/plugin.ts'
import { callOf, Folder } from './calls.ts'

/*
 * Who gives an address back has the folder to itself, so that a runtime's DEL and the daemon's sweep can be at work on
 * the same attachment. A lock belongs to an open file, so one process can play both.
 */

function folderOfOne() {
  const folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/29' }
  const call = callOf({ ipam: keys, id: 'mine' })
  reserve(call)
  return { folder, keys, call, file: join(folder.network, '10.0.0.2') }
}

/** Runs something while the one who waits for a lock sleeps for the first time. */
function atFirstWait(t: Test, run: () => void): void {
  let isFirst = true
  t.intercept(Atomics, 'wait', {
    value: () => {
      if (isFirst) run()
      isFirst = false
      return 'timed-out'
    },
  })
}

t.test('a DEL waits for another one, and frees nothing that somebody else has got since', async t => {
  const { folder, call, file } = folderOfOne()
  using _ = folder
  const other = tryLock(folder.network)
  atFirstWait(t, () => {
    rmSync(file)
    writeFileSync(file, 'other\r\neth0')
    other?.[Symbol.dispose]()
  })
  await ipam.del(call)
  t.equal(readFileSync(file, 'utf8'), 'other\r\neth0')
})

t.test('a DEL that waits in vain says so, and the address stays held', async t => {
  const { folder, call, file } = folderOfOne()
  using _ = folder
  using other = tryLock(folder.network)
  t.ok(other)
  t.intercept(Atomics, 'wait', { value: () => 'timed-out' })
  await t.rejects(ipam.del(call), {
    kind: 'try-again',
    message: /^Cannot change \/.*: another process has held its lock for 2 s; .*try again$/,
  })
  t.equal(readFileSync(file, 'utf8'), 'mine\r\neth0')
  other?.[Symbol.dispose]()
  await ipam.del(call)
  t.same(folder.addresses(), {})
})

t.test('a DEL with nothing to free waits for nobody', async () => {
  const { folder, keys } = folderOfOne()
  using _ = folder
  using _lock = tryLock(folder.network)
  await ipam.del(callOf({ ipam: keys, id: 'nobody' }))
})

t.test('an ADD is under way until it is settled or released', async t => {
  const { folder, keys, call } = folderOfOne()
  using _ = folder
  const store = storeOf(call)
  t.notOk(isUnderWay(store, call.attachment), 'this one did not say so')
  for (const end of ['settle', 'release'] as const) {
    const next = callOf({ ipam: keys, id: end })
    const reservation = reserve(next, tryLock)
    t.ok(isUnderWay(store, next.attachment))
    reservation[end]()
    t.notOk(isUnderWay(store, next.attachment))
    reservation.settle()
  }
  t.same(Object.values(folder.addresses()), ['mine\r\neth0', 'settle\r\neth0'])
})

t.test('an ADD that fails is not under way any more', async t => {
  const { folder, keys } = folderOfOne()
  using _ = folder
  const full = callOf({ ipam: { ...keys, exclude: ['10.0.0.0/29'] }, id: 'full' })
  t.throws(() => reserve(full, tryLock), { message: /no IP addresses available/ })
  t.notOk(isUnderWay(storeOf(full), full.attachment))
})

t.test('a folder that is missing keeps nobody out', async t => {
  t.equal(
    exclusively('/nowhere/at/all', () => 'ran'),
    'ran',
  )
})
