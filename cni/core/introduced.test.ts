import t from 'tap'
import { attachment, network } from '../../test/support/wish.ts'
import { introducedBy, introducedOn } from './introduced.ts'
import { attachmentPair } from './names.ts'

t.test('introducedOn() names the interface with the gateway, whatever else the config says', t => {
  for (const keys of [{}, { mode: 'l3' }, { mode: 'l2' }, { mode: 'l4' }, { mode: 3 }, { mtu: 'large' }])
    t.equal(introducedOn(network(keys)), 'cbr0', JSON.stringify(keys))
  t.equal(introducedOn(network({ bridge: 'br1', vlan: 5 })), 'br1.5')
  for (const keys of [{ bridge: 7 }, { vlan: 5000 }, { bridge: 'twelveletter', vlan: 100 }])
    t.equal(introducedOn(network(keys)), undefined, JSON.stringify(keys))
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
