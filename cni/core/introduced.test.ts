import t from 'tap'
import { attachment, network } from '../../test/support/wish.ts'
import { introducedBy, introducedOn } from './introduced.ts'
import { attachmentPair } from './names.ts'

t.test('introducedOn() names the interface with the gateway in mode l3', t => {
  t.equal(introducedOn(network({ mode: 'l3' })), 'cbr0')
  t.equal(introducedOn(network({ mode: 'l3', bridge: 'br1', vlan: 5 })), 'br1.5')
  t.equal(
    introducedOn(network({ mode: 'l3', mtu: 'large' })),
    'cbr0',
    'an ADD would refuse what is not asked here',
  )
  for (const keys of [{}, { mode: 'l2' }, { mode: 'l4' }, { mode: 3 }, { mode: 'l3', bridge: 7 }])
    t.equal(introducedOn(network(keys)), undefined, JSON.stringify(keys))
  t.equal(introducedOn(network({ mode: 'l3', bridge: 'twelveletter', vlan: 100 })), undefined)
  t.end()
})

t.test('introducedBy() is the MAC that was asked for, or follows from the name', t => {
  const eth0 = attachment('c1', 'eth0')
  const mac = (keys = {}, args: Record<string, string> = {}) =>
    introducedBy(network(keys), new Map(Object.entries(args)), eth0)
  t.equal(mac(), attachmentPair(eth0).peerMac)
  t.equal(mac({ runtimeConfig: { mac: '02:00:00:00:00:09' } }), '02:00:00:00:00:09')
  t.equal(mac({}, { MAC: '02:00:00:00:00:08' }), '02:00:00:00:00:08')
  t.equal(mac({}, { MAC: 'none' }), undefined)
  t.end()
})
