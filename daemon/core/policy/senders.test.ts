import t from 'tap'
import { attachment, lockedAttachment } from '../../../test/support/policy-objects.ts'
import { Compiler } from './compile.ts'

const ONE = '0a:00:00:00:00:01'
const TWO = '0a:00:00:00:00:02'
const compiler = (): Compiler => new Compiler({ node: 'n1', unknownPods: 'closed', log: false })
const keysOf = (to: Compiler, set: string): string[] => [...to.compile().sets.get(set)!.elements.keys()]

t.test('a pod may send by its own addresses, from its ADD until its DEL', async t => {
  const to = compiler()
  to.attach(lockedAttachment(ONE, 'pods/c1/eth0', 'shop/db', ['10.1.0.5', 'fd00::5']))
  to.attach(lockedAttachment(TWO, 'pods/c2/eth0', 'shop/web', ['10.1.0.6']))
  t.same(keysOf(to, 'policy-senders4'), [`10.1.0.5 . ${ONE}`, `10.1.0.6 . ${TWO}`])
  t.same(keysOf(to, 'policy-senders6'), [`fd00::5 . ${ONE}`])
  t.same(keysOf(to, 'policy-macs'), [ONE, TWO])
  to.detach('pods/c1/eth0')
  t.same(keysOf(to, 'policy-senders4'), [`10.1.0.6 . ${TWO}`])
  t.same(keysOf(to, 'policy-senders6'), [])
  t.same(keysOf(to, 'policy-macs'), [TWO])
})

t.test('its elements say which pod it is', async t => {
  const to = compiler()
  to.attach(lockedAttachment(ONE, 'pods/c1/eth0', 'shop/db', ['10.1.0.5']))
  const { sets } = to.compile()
  for (const set of ['policy-senders4', 'policy-macs'])
    t.same(
      [...sets.get(set)!.elements.values()].map(({ comment }) => comment),
      ['shop/db'],
    )
})

t.test('a pod that is attached twice may send all that is its own by either interface', async t => {
  const to = compiler()
  to.attach(lockedAttachment(ONE, 'pods/c1/eth0', 'shop/db', ['10.1.0.5']))
  to.attach(lockedAttachment(TWO, 'other/c1/eth1', 'shop/db', ['10.2.0.5']))
  to.attach(attachment('third/c1/eth2', 'shop/db', ['10.3.0.5']))
  const addresses = ['10.1.0.5', '10.2.0.5', '10.3.0.5']
  t.same(
    keysOf(to, 'policy-senders4'),
    [ONE, TWO].flatMap(mac => addresses.map(ip => `${ip} . ${mac}`)),
  )
  to.detach('other/c1/eth1')
  t.same(keysOf(to, 'policy-senders4'), [`10.1.0.5 . ${ONE}`, `10.3.0.5 . ${ONE}`])
  t.same(keysOf(to, 'policy-macs'), [ONE])
  to.detach('other/c1/eth1')
  t.same(keysOf(to, 'policy-macs'), [ONE], 'which it was not any more')
})

t.test('nobody asks a pod whose port takes any MAC', async t => {
  const to = compiler()
  const before = to.compile()
  to.attach(attachment('pods/c1/eth0', 'shop/db', ['10.1.0.5']))
  for (const set of ['policy-senders4', 'policy-senders6', 'policy-macs'])
    t.equal(to.compile().sets.get(set), before.sets.get(set), 'the very same')
})
