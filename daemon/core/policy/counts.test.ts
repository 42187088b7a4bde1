import t from 'tap'
import { countElements, dropsByPod } from './counts.ts'
import { podKey } from './objects.ts'
import type { NftSet } from './rule-set.ts'

const setOf = (...keys: readonly string[]): NftSet => ({
  kind: 'set',
  key: ['ipv4_addr'],
  elements: new Map(keys.map(key => [key, { key: [] }])),
})

t.test('countElements() counts those of all sets', async t => {
  const sets = new Map([
    ['a', setOf('10.1.0.1', '10.1.0.2')],
    ['b', setOf('10.1.0.1')],
  ])
  t.equal(countElements({ chains: new Map(), sets }), 3)
})

t.test('dropsByPod() names the pods, and leaves out those that are gone', async t => {
  const podAt = (address: string) =>
    address === '10.1.0.1' ? podKey({ namespace: 'shop', name: 'db' }) : undefined
  t.same(
    dropsByPod(
      [
        { direction: 'ingress', address: '10.1.0.1', packets: 5 },
        { direction: 'egress', address: '10.1.0.9', packets: 6 },
      ],
      podAt,
    ),
    [{ namespace: 'shop', pod: 'db', direction: 'ingress', packets: 5 }],
  )
})
