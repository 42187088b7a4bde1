import fc from 'fast-check'
import type { Packet } from '../../daemon/core/policy/evaluate.ts'
import { parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import { type Attached, type Objects, parseNamespace, parsePod } from '../../daemon/core/policy/objects.ts'
import { FAMILIES, type Ip, sameIp } from '../../ipam/core/ip.ts'
import { cidr, ip } from './result.ts'

/*
 * Clusters, policies and packets for properties, as objects of the API: few names, labels, addresses and ports, so that
 * they meet often. Addresses are contested, pods have ended or are on the host's network, attachments are of pods that
 * nobody knows or of their namesakes.
 */

const NODES = ['n1', 'n2']
const NAMESPACES = ['red', 'red', 'blue', 'green']
const ADDRESSES = {
  4: ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.2.0.1', '10.2.0.2', '10.9.0.1'],
  6: ['fd00:1::1', 'fd00:1::2', 'fd00:2::1', 'fd00:9::1'],
} as const
const POD_CIDRS = ['10.1.0.0/24', '10.2.0.0/24', 'fd00:1::/64', 'fd00:2::/64']
/** Of nodes, and of the world. */
const NODE_ADDRESSES: readonly string[] = ['172.16.0.1', 'fd99::1']
const OUTSIDE = ['192.0.2.1', '2001:db8::1']
const BLOCKS = [
  '0.0.0.0/0',
  '::/0',
  '10.1.0.0/24',
  '10.1.0.2/31',
  '10.0.0.0/8',
  '10.2.0.1/32',
  '128.0.0.0/1',
  'fd00:1::/64',
  'fd00::/16',
  'fd00:1::2/128',
]
const PORTS = [80, 81, 82, 443]
const PORT_NAMES = ['http', 'admin']
const PROTOCOLS = ['TCP', 'TCP', 'UDP', 'SCTP']

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined })
const pick = <T>(...items: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...items)

const labels = fc.dictionary(pick('app', 'tier'), pick('x', 'y'), { maxKeys: 2 })

const requirement = fc.oneof(
  fc.record({
    key: pick('app', 'tier'),
    operator: pick('In', 'NotIn'),
    values: fc.uniqueArray(pick('x', 'y'), { minLength: 1 }),
  }),
  fc.record({ key: pick('app', 'tier'), operator: pick('Exists', 'DoesNotExist') }),
)

const selector = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.record({ matchLabels: labels }) },
  { weight: 2, arbitrary: fc.record({ matchExpressions: fc.array(requirement, { maxLength: 2 }) }) },
  // One that is not understood.
  {
    weight: 1,
    arbitrary: fc.record({ matchLabels: labels, matchExpressions: fc.constant([{ key: 'app' }]) }),
  },
)

const namespaceSelector = fc.oneof(
  selector,
  fc.record({ matchLabels: fc.record({ 'kubernetes.io/metadata.name': pick(...NAMESPACES) }) }),
)

const block = fc.record(
  { cidr: pick(...BLOCKS), except: fc.array(pick(...BLOCKS), { maxLength: 2 }) },
  { requiredKeys: ['cidr'] },
)

const peer = fc.oneof(
  { weight: 3, arbitrary: fc.record({ podSelector: selector }) },
  { weight: 3, arbitrary: fc.record({ namespaceSelector }) },
  { weight: 3, arbitrary: fc.record({ namespaceSelector, podSelector: selector }) },
  { weight: 3, arbitrary: fc.record({ ipBlock: block }) },
  { weight: 1, arbitrary: pick({}, { ipBlock: { cidr: '10.1.0.0' } }) },
)

const port = fc.oneof(
  { weight: 3, arbitrary: fc.record({ protocol: pick(...PROTOCOLS), port: pick(...PORTS) }) },
  { weight: 2, arbitrary: fc.record({ port: pick(...PORTS) }) },
  { weight: 5, arbitrary: fc.record({ protocol: pick(...PROTOCOLS), port: pick(...PORT_NAMES) }) },
  { weight: 1, arbitrary: fc.record({ protocol: pick(...PROTOCOLS) }) },
  { weight: 1, arbitrary: pick<object>({ port: 80, endPort: 81 }, { port: 81, endPort: 81 }) },
  { weight: 1, arbitrary: pick<object>({ port: 81, endPort: 80 }, { protocol: 'ICMP' }, { endPort: 80 }) },
)

const rule = (peers: 'from' | 'to') =>
  fc.record(
    { [peers]: fc.array(peer, { maxLength: 2 }), ports: fc.array(port, { maxLength: 3 }) },
    { requiredKeys: [] },
  )

const policies = fc.uniqueArray(
  fc.record({
    metadata: fc.record({ namespace: pick(...NAMESPACES), name: pick('p1', 'p2', 'p3') }),
    spec: fc.record(
      {
        podSelector: selector,
        policyTypes: fc.uniqueArray(pick('Ingress', 'Egress')),
        ingress: fc.array(rule('from'), { maxLength: 2 }),
        egress: fc.array(rule('to'), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
  }),
  { minLength: 2, maxLength: 6, selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}` },
)

const ips = fc
  .tuple(maybe(pick(...ADDRESSES[4])), maybe(pick(...ADDRESSES[6])))
  .map(both => both.filter(address => address !== undefined))

const containerPort = fc.record({
  name: pick(...PORT_NAMES),
  protocol: pick(...PROTOCOLS),
  containerPort: pick(...PORTS),
})

const podName = fc.record({ namespace: pick(...NAMESPACES), name: pick('a', 'b', 'c', 'd') })
const keyOf = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`

const pods = fc.uniqueArray(
  fc.record({
    metadata: fc
      .record({
        key: podName,
        uid: pick('u1', 'u2'),
        labels,
        creationTimestamp: pick('2030-01-01T00:00:00Z', '2030-01-02T00:00:00Z'),
      })
      .map(({ key, ...rest }) => ({ ...key, ...rest })),
    spec: fc.record({
      nodeName: pick('n1', 'n1', 'n2'),
      hostNetwork: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
      containers: fc.array(fc.record({ ports: fc.array(containerPort, { minLength: 1, maxLength: 4 }) }), {
        maxLength: 2,
      }),
    }),
    status: fc.record({
      phase: fc.oneof({ weight: 9, arbitrary: fc.constant('Running') }, fc.constant('Succeeded')),
      podIPs: ips.map(all => all.map(each => ({ ip: each }))),
    }),
  }),
  { minLength: 3, maxLength: 9, selector: ({ metadata }) => keyOf(metadata) },
)

const namespaces = fc
  .subarray([...new Set(NAMESPACES)])
  .chain(names => fc.tuple(...names.map(name => fc.record({ name: fc.constant(name), labels }))))
  .map(all => all.map(metadata => ({ metadata })))

/** No two of them have an address in common: IPAM sees to that. */
const attached: fc.Arbitrary<Attached[]> = fc
  .array(fc.record({ key: podName, uid: pick('u1', '', ''), addresses: ips }), { maxLength: 2 })
  .map(all => {
    const taken = new Set<string>()
    return all.map(({ key, uid, addresses }, i) => {
      const own = addresses.filter(address => !taken.has(address))
      for (const address of own) taken.add(address)
      return { id: `c${i}`, ...key, uid, addresses: own.map(ip) }
    })
  })

/** Everything that the API server and the ADDs of node n1 have told. */
export const objects: fc.Arbitrary<Objects> = fc.record({
  pods: pods.map(all => all.map(parsePod)),
  namespaces: namespaces.map(all => all.map(parseNamespace)),
  policies: policies.map(all => all.map(parseNetworkPolicy)),
  podCidrs: fc.subarray(POD_CIDRS).map(all => all.map(cidr)),
  attached,
})

const ends = [...ADDRESSES[4], ...ADDRESSES[6]].map(ip)
const strangers = [...NODE_ADDRESSES, ...OUTSIDE].map(ip)

const SAMPLES: readonly Pick<Packet, 'protocol' | 'port'>[] = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'tcp', port: 81 },
  { protocol: 'udp', port: 80 },
  { protocol: 'udp', port: 82 },
  { protocol: 'sctp', port: 443 },
  { protocol: 'other', port: 0 },
  { protocol: 'discovery', port: 0 },
]

/** Addresses of nodes are two nodes' at once here, which is as good as two addresses. */
const nodesOf = (end: Ip): readonly (string | undefined)[] =>
  NODE_ADDRESSES.map(ip).some(each => sameIp(each, end)) ? NODES : [undefined]

/** Every end with every end, each with a few protocols and ports: a cluster is judged by all of these. */
export const PACKETS: readonly Packet[] = FAMILIES.flatMap(family => {
  const inFamily = [...ends, ...strangers].filter(each => each.family === family)
  return inFamily.flatMap(source =>
    inFamily.flatMap(destination =>
      nodesOf(source).flatMap(sender =>
        nodesOf(destination).flatMap(receiver =>
          SAMPLES.map(sample => ({
            source,
            destination,
            ...sample,
            ...(sender === undefined ? {} : { sender }),
            ...(receiver === undefined ? {} : { receiver }),
          })),
        ),
      ),
    ),
  )
})
