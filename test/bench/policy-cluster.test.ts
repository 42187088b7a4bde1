import t from 'tap'
import { evaluate } from '../../daemon/core/policy/evaluate.ts'
import { podKey } from '../../daemon/core/policy/objects.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { placeOf, podName, podNamespace } from './pod-object.ts'
import { clusterOf, WISH } from './policy-cluster.ts'

t.test(
  'clusterOf() has 1,000 pods with addresses of their own and 200 policies, all of which make sense',
  t => {
    for (const nodes of [1, 10]) {
      const { pods, policies, namespaces, podCidrs } = clusterOf(nodes)
      t.equal(new Set(pods.map(podKey)).size, 1000)
      t.equal(new Set(pods.flatMap(({ addresses }) => addresses.map(formatIp))).size, 1000)
      t.equal(new Set(pods.map(({ node }) => node)).size, nodes)
      t.same([policies.length, namespaces.length, podCidrs.length], [200, 20, nodes])
      t.same(
        [...pods, ...policies].flatMap(({ problems }) => problems),
        [],
      )
    }
    t.end()
  },
)

t.test('clusterOf() isolates every pod, and lets those talk that need each other', t => {
  const cluster = clusterOf(1)
  const addressAt = (place: number) =>
    cluster.pods.find(pod => podKey(pod) === `${podNamespace(place)}/${podName(place)}`)!.addresses[0]!
  const isAllowed = (from: number, to: number, port: number): boolean => {
    const packet = { source: addressAt(from), destination: addressAt(to), protocol: 'tcp', port } as const
    return evaluate(cluster, WISH, packet).isAllowed
  }
  const [web, api, db] = [placeOf(10, 'web', 7), placeOf(10, 'api', 7), placeOf(10, 'db')]
  t.ok(isAllowed(web, api, 8080))
  t.ok(isAllowed(web, api, 8081))
  t.notOk(isAllowed(web, api, 9))
  t.ok(isAllowed(api, db, 5432))
  t.notOk(isAllowed(web, db, 5432))
  t.ok(isAllowed(placeOf(0, 'monitor'), web, 9100))
  t.notOk(isAllowed(placeOf(9, 'web'), api, 8080))
  t.end()
})
