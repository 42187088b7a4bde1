import t from 'tap'
import { callOf, Folder } from './calls.ts'
import { ipam } from '../../ipam/plugin.ts'
import { finish, grants } from './spawn.ts'

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

t.test('processes that allocate from one folder at once never get one address twice', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/23' }
  const outcomes = await Promise.all(
    names('p', 6).map(name => finish({ ipam: keys, ids: names(name, 60), verbs: ['ADD'] })),
  )
  const granted = grants(outcomes)
  t.equal(granted.length, 360)
  t.equal(new Set(granted.map(([, ip]) => ip)).size, 360)
  t.same(folder.addresses(), Object.fromEntries(granted.map(([id, ip]) => [ip, `${id}\r\neth0`])))
})

t.test('processes that fight for the last addresses get each of them once', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/26' }
  const outcomes = await Promise.all(
    names('p', 4).map(name => finish({ ipam: keys, ids: names(name, 30), verbs: ['ADD'] })),
  )
  const refused = outcomes
    .flatMap(({ lines }) => lines)
    .filter(line => line.endsWith(' error pool-exhausted'))
  t.equal(new Set(grants(outcomes).map(([, ip]) => ip)).size, 61)
  t.equal(refused.length, 120 - 61)
  await ipam.gc(callOf({ ipam: keys }))
  t.same([folder.addresses(), folder.index()], [{}, []])
})

t.test('processes that come and go leave nothing', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/28' }
  const outcomes = await Promise.all(
    names('p', 4).map(name => finish({ ipam: keys, ids: names(name, 100), verbs: ['ADD', 'DEL', 'DEL'] })),
  )
  t.equal(grants(outcomes).length, 400)
  t.same([folder.addresses(), folder.index()], [{}, []])
})
