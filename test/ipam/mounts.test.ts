import t from 'tap'
import { reserve } from '../../ipam/add.ts'
import { ipam } from '../../ipam/plugin.ts'
import { callOf, Folder } from './calls.ts'
import { finish } from './spawn.ts'

const SUBNET = '10.0.0.0/28'

const readOnly = ({ dataDir }: Folder): string =>
  `mount --bind ${dataDir} ${dataDir}; mount -o remount,ro,bind ${dataDir}`

t.test('a DEL that cannot free what is held fails, so that the runtime sends it again', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: SUBNET }
  reserve(callOf({ ipam: keys, id: 'a' }))
  const before = folder.addresses()
  const { lines } = await finish(
    { ipam: keys, ids: ['a', 'b'], verbs: ['DEL', 'ADD', 'GC', 'STATUS'] },
    readOnly(folder),
  )
  t.same(lines, [
    'DEL a error store',
    'ADD a error attachment-exists',
    'GC a error store',
    'STATUS a error not-available',
    'DEL b done',
    'ADD b error store',
    'GC b error store',
    'STATUS b error not-available',
  ])
  t.same(folder.addresses(), before)
  await ipam.del(callOf({ ipam: keys, id: 'a' }))
  t.same(folder.addresses(), {})
})

t.test('an ADD on a full file system fails whole, and frees nothing of others', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, ranges: [[{ subnet: SUBNET }], [{ subnet: 'fd00::/64' }]] }
  const ids = Array.from({ length: 12 }, (_, i) => `c${i}`)
  const before = `mount -t tmpfs -o nr_inodes=20 tmpfs ${folder.dataDir}`
  const { lines } = await finish({ ipam: keys, ids, verbs: ['ADD'] }, before)
  t.match(lines[0], /^ADD c0 10\.0\.0\.2 fd00::2$/)
  t.match(lines.at(-1), /^ADD c11 error store$/)
  const again = await finish({ ipam: keys, ids, verbs: ['ADD', 'DEL'] }, before)
  t.match(again.lines.at(-2), /^ADD c11 10\.0\.0\.13 fd00::d$/, 'and what DEL gives back serves the next')
  const full = await finish({ ipam: keys, ids: [...ids, 'x'], verbs: ['ADD', 'STATUS'] }, before)
  t.equal(full.lines.at(-1), 'STATUS x error not-available')
})
