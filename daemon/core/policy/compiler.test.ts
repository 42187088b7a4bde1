import t from 'tap'
import { attachment, namespace, pod, policy } from '../../../test/support/policy-objects.ts'
import { cidr } from '../../../test/support/result.ts'
import { Compiler } from './compile.ts'

const compiler = (): Compiler => new Compiler({ node: 'n1', unknownPods: 'closed', log: false })
const label = (app: string) => ({ matchLabels: { app } })

t.test('what is told again is no change', async t => {
  const to = compiler()
  for (const isNew of [true, false]) {
    t.equal(to.setPod(pod('red/db', ['10.1.0.1'], { app: 'db' })), isNew)
    t.equal(to.setNamespace(namespace('red', { team: 'a' })), isNew)
    t.equal(to.setPolicy(policy('red/p', { podSelector: label('db') })), isNew)
    t.equal(to.setPodCidrs([cidr('10.1.0.0/24')]), isNew)
  }
  t.equal(to.setPod(pod('red/db', ['10.1.0.2'], { app: 'db' })), true)
  t.equal(to.setPod(pod('red/db', ['10.1.0.2'], { app: 'other' })), true)
  t.equal(to.setNamespace(namespace('red', { team: 'b' })), true)
  t.equal(to.setPolicy(policy('red/p', { podSelector: label('web') })), true)
  t.equal(to.setPodCidrs([]), true)
})

t.test('what goes is a change once', async t => {
  const to = compiler()
  to.setPod(pod('red/db', []))
  to.setNamespace(namespace('red'))
  to.setPolicy(policy('red/p', {}))
  for (const isThere of [true, false]) {
    t.equal(to.deletePod({ namespace: 'red', name: 'db' }), isThere)
    t.equal(to.deleteNamespace('red'), isThere)
    t.equal(to.deletePolicy({ namespace: 'red', name: 'p' }), isThere)
  }
})

t.test('of a whole list what is not in it is gone', async t => {
  const to = compiler()
  const [a, b] = [pod('red/a', ['10.1.0.1']), pod('blue/b', ['10.1.0.2'])]
  const policies = [policy('red/p', {}), policy('blue/p', {})]
  const namespaces = [namespace('red'), namespace('blue')]
  for (const isNew of [true, false]) {
    t.equal(to.replacePods([a, b]), isNew)
    t.equal(to.replacePolicies(policies), isNew)
    t.equal(to.replaceNamespaces(namespaces), isNew)
  }
  const isolated = () => [...to.compile().sets.get('policy-ingress4')!.elements.keys()]
  t.same(isolated(), ['10.1.0.1', '10.1.0.2'])
  t.equal(to.replacePods([b]), true)
  t.same(isolated(), ['10.1.0.2'])
  t.equal(to.replacePolicies(policies.slice(0, 1)), true)
  t.same(isolated(), [])
  t.equal(to.replaceNamespaces([]), true)
  t.equal(to.deleteNamespace('red'), false)
})

t.test('policies are counted, and the pods that they isolate here', async t => {
  const to = compiler()
  t.same(to.counts(), { policies: 0, isolatedPods: 0 })
  to.setPod(pod('red/a', ['10.1.0.1', 'fd00:1::1']))
  to.setPod(pod('red/far', ['10.2.0.1'], {}, { spec: { nodeName: 'n2' } }))
  to.setPod(pod('green/free', ['10.1.0.3']))
  for (const key of ['red/p', 'red/q', 'blue/p']) to.setPolicy(policy(key, {}))
  to.compile()
  t.same(to.counts(), { policies: 3, isolatedPods: 1 })
  t.same([...to.namespaces].sort(), ['blue', 'red'])
  to.deletePolicy({ namespace: 'blue', name: 'p' })
  t.same([...to.namespaces], ['red'])
})

t.test(
  'a chain is made once, for pods that come later too, until one of its policies is another',
  async t => {
    const to = compiler()
    const except = ['10.0.0.0/24']
    const open = (cidr: string) => policy('red/p', { ingress: [{ from: [{ ipBlock: { cidr, except } }] }] })
    const chainOf = (address: string) => {
      const { chains, sets } = to.compile()
      return chains.get(sets.get('policy-ingress4')!.elements.get(address)!.target!)
    }
    to.setPolicy(open('10.0.0.0/8'))
    to.setPod(pod('red/a', ['10.1.0.1']))
    const chain = chainOf('10.1.0.1')
    to.setPod(pod('red/b', ['10.1.0.2']))
    t.equal(chainOf('10.1.0.2'), chain)
    to.setPolicy(open('10.0.0.0/16'))
    t.not(chainOf('10.1.0.1'), chain)
    t.equal(chainOf('10.1.0.1'), chainOf('10.1.0.2'))
  },
)

t.test('an attached pod is known when the API server has told of it, and not of a namesake', async t => {
  const to = compiler()
  t.equal(to.isKnown('c1'), false)
  to.attach(attachment('c1', 'red/a', ['10.1.0.1']))
  t.equal(to.isKnown('c1'), false)
  to.setPod(pod('red/a', [], {}, { metadata: { uid: 'an older one' } }))
  t.equal(to.isKnown('c1'), false)
  to.setPod(pod('red/a', []))
  t.equal(to.isKnown('c1'), true)
  to.detach('c1')
  t.equal(to.isKnown('c1'), false)
})

t.test('podAt() says whose an address is, by objects and attachments', async t => {
  const to = compiler()
  t.equal(to.podAt('10.1.0.1'), undefined)
  to.setPod(pod('red/far', ['10.1.0.1', 'fd00:1::1'], {}, { spec: { nodeName: 'n2' } }))
  t.equal(to.podAt('10.1.0.1'), 'red/far')
  t.equal(to.podAt('fd00:1::1'), 'red/far')
  to.attach(attachment('c1', 'red/new', ['10.1.0.1']))
  t.equal(to.podAt('10.1.0.1'), 'red/new', 'what was given here belongs to its new pod')
  to.detach('c1')
  t.equal(to.podAt('10.1.0.1'), 'red/far')
  to.deletePod({ namespace: 'red', name: 'far' })
  t.equal(to.podAt('10.1.0.1'), undefined)
})
