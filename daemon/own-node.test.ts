import t from 'tap'
import { Cluster } from './core/cluster.ts'
import { type NodeName, parseNode } from './core/node.ts'
import { OwnNode } from './own-node.ts'
import { Waiting } from './reconcile.ts'

const named = (name: string, podCIDRs: string[]) => parseNode({ metadata: { name }, spec: { podCIDRs } })

function stage() {
  const cluster = new Cluster()
  const lines: string[] = []
  const log = { debug() {}, info: (_: object, text: string) => lines.push(text), warn() {}, error() {} }
  return { cluster, lines, own: new OwnNode(cluster, 'node1' as NodeName, log) }
}
const waits = (own: OwnNode) => {
  try {
    own.reconcile()
    return undefined
  } catch (error) {
    return error instanceof Waiting ? error.message : String(error)
  }
}

t.test('Until the API server has listed the nodes, nothing else may happen', async t => {
  const { own, cluster } = stage()
  cluster.set(named('node1', ['10.244.1.0/24']))
  t.match(waits(own), /has not listed the nodes/)
  own.listed()
  t.equal(waits(own), undefined)
})

t.test('A daemon whose Node is not there, or has no podCIDR, waits and says for what', async t => {
  const { own, cluster } = stage()
  own.listed()
  t.match(waits(own), /there is no Node "node1"/)
  cluster.set(named('node1', []))
  t.match(waits(own), /has no podCIDR.*--allocate-node-cidrs/)
})

t.test('The podCIDRs are announced when they are known, and again only when they change', async t => {
  const { own, cluster, lines } = stage()
  own.listed()
  for (const podCIDRs of [['10.244.1.0/24'], ['10.244.1.0/24'], ['10.244.1.0/24', 'fd00:1::/64']]) {
    cluster.set(named('node1', podCIDRs))
    own.reconcile()
  }
  t.same(lines, [
    'Pods of this node get addresses from 10.244.1.0/24',
    'Pods of this node get addresses from 10.244.1.0/24, fd00:1::/64',
  ])
  t.equal(own.node.name, 'node1')
})
