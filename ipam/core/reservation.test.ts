import fc from 'fast-check'
import t from 'tap'
import { parseContainerId, parseIfName } from '../../cni/spec/environment.ts'
import {
  formatReservation,
  indexKey,
  matchOwner,
  type Owner,
  ownedBy,
  parseReservation,
} from './reservation.ts'

const attachment = (id: string, ifname: string) => ({
  containerId: parseContainerId(id, 'id'),
  ifname: parseIfName(ifname, 'ifname'),
})
const mine = attachment('c1', 'eth0')
const held = (containerId: string, ifname?: string): Owner => ({ kind: 'held', containerId, ifname })

t.test('parseReservation() reads back what formatReservation() writes', t => {
  const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019_.-'), minLength: 0, maxLength: 80 })
  fc.assert(
    fc.property(word, word, (id, ifname) => {
      const parsed = attachment(`a${id}`, `e${ifname.slice(0, 14)}`)
      t.same(parseReservation(formatReservation(parsed)), { kind: 'held', ...parsed })
    }),
  )
  t.end()
})

t.test('parseReservation() never throws, whatever a file holds', t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text =>
      ['held', 'empty', 'damaged'].includes(parseReservation(text).kind),
    ),
  )
  t.end()
})

t.test('parseReservation() tells legacy, empty and damaged files', t => {
  const cases: [string, Owner][] = [
    ['c1\r\neth0', held('c1', 'eth0')],
    ['c1\neth0\n', held('c1', 'eth0')],
    ['c1', held('c1')],
    [' c1 \r\n', held('c1')],
    ['', { kind: 'empty' }],
    [' \r\n', { kind: 'empty' }],
    ['\0\0', { kind: 'damaged' }],
    ['../c1\r\neth0', { kind: 'damaged' }],
    ['c1\r\neth0\r\nmore', { kind: 'damaged' }],
    ['c1\r\n\r\neth0', { kind: 'damaged' }],
  ]
  for (const [text, owner] of cases) t.same(parseReservation(text), owner, JSON.stringify(text))
  t.end()
})

t.test('matchOwner() knows an attachment by id and interface, a legacy file by id', t => {
  t.equal(matchOwner(held('c1', 'eth0'), mine), 'exact')
  t.equal(matchOwner(held('c1', 'eth1'), mine), 'other')
  t.equal(matchOwner(held('c2', 'eth0'), mine), 'other')
  t.equal(matchOwner(held('c1'), mine), 'legacy')
  t.equal(matchOwner({ kind: 'empty' }, mine), 'other')
  t.end()
})

t.test('ownedBy() takes legacy files only when none names the interface', t => {
  const all = [held('c1'), held('c1', 'eth0'), held('c2', 'eth0'), held('c1', 'eth1')].map(owner => ({
    owner,
  }))
  t.same(ownedBy(all, mine), [{ owner: held('c1', 'eth0') }])
  t.same(ownedBy(all, attachment('c1', 'eth2')), [{ owner: held('c1') }])
  t.same(ownedBy(all, attachment('c3', 'eth0')), [])
  t.end()
})

t.test('indexKey() is a short name for any container id, and no two share it', t => {
  const keys = [
    indexKey('c1', 'eth0'),
    indexKey('c1', 'eth1'),
    indexKey('c1', undefined),
    indexKey('c'.repeat(9999), 'eth0'),
  ]
  for (const key of keys) t.match(key, /^[0-9a-f]{64}$/)
  t.equal(new Set(keys).size, keys.length)
  t.end()
})
