import t from 'tap'
import { attachment, pod, ports } from '../../../test/support/policy-objects.ts'
import { ip } from '../../../test/support/result.ts'
import { isAttachedTo, parseNamespace, parsePod, podKey } from './objects.ts'

const named = { namespace: 'red', name: 'a' }
const addressesOf = (status: object, spec: object = {}) =>
  parsePod({ metadata: named, spec, status: { phase: 'Running', ...status } })

t.test('parsePod() reads what policies need', async t => {
  const parsed = parsePod({
    metadata: {
      ...named,
      uid: 'u',
      labels: { app: 'web', odd: 1 },
      annotations: { 'kubernetes.io/config.hash': 'static' },
      creationTimestamp: '2030-01-01T00:00:00Z',
    },
    spec: { nodeName: 'n1', ...ports('http:80/TCP') },
    status: { phase: 'Running', podIP: '10.1.0.1', podIPs: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }] },
  })
  t.same(parsed, {
    namespace: 'red',
    name: 'a',
    uids: ['u', 'static'],
    labels: new Map([['app', 'web']]),
    node: 'n1',
    addresses: [ip('10.1.0.1'), ip('fd00::1')],
    ports: [{ name: 'http', protocol: 'tcp', port: 80 }],
    createdAt: '2030-01-01T00:00:00Z',
    hostNetwork: false,
    problems: [],
  })
  t.equal(podKey(parsed), 'red/a')
})

t.test('parsePod() reads the one address of older API servers, and each address once', async t => {
  t.same(addressesOf({ podIP: '10.1.0.1' }).addresses, [ip('10.1.0.1')])
  t.same(addressesOf({ podIP: '' }).addresses, [])
  t.same(addressesOf({ podIP: null, podIPs: null }).addresses, [])
  t.same(addressesOf({ podIPs: [{ ip: '10.1.0.1' }, { ip: '10.1.0.1' }] }).addresses, [ip('10.1.0.1')])
})

t.test('parsePod() gives no address to a pod that has ended, or is on the network of its node', async t => {
  for (const phase of ['Succeeded', 'Failed']) t.same(addressesOf({ phase, podIP: '10.1.0.1' }).addresses, [])
  const onHost = addressesOf({ podIP: '172.30.0.1' }, { hostNetwork: true })
  t.same(onHost.addresses, [])
  t.equal(onHost.hostNetwork, true)
})

t.test('parsePod() knows the named ports of containers and of sidecars', async t => {
  const container = (name: string, containerPort: number, more: object = {}) => ({
    ...more,
    ports: [{ name, containerPort }, { containerPort: 1 }],
  })
  const spec = {
    containers: [container('http', 80), {}],
    initContainers: [container('proxy', 15, { restartPolicy: 'Always' }), container('setup', 99)],
  }
  t.same(
    parsePod({ metadata: named, spec }).ports.map(({ name, port }) => `${name} ${port}`),
    ['http 80', 'proxy 15'],
  )
})

t.test('parsePod() leaves out what makes no sense, and says so', async t => {
  const parsed = pod('red/a', ['10.1.0.01'], {}, { spec: ports('a:80/ICMP', 'b:0/TCP', 'c:1/UDP') })
  t.same(parsed.addresses, [])
  t.same(
    parsed.ports.map(({ name }) => name),
    ['c'],
  )
  t.same(parsed.problems, [
    'pod IP "10.1.0.01" is no address',
    'port {"name":"a","containerPort":80,"protocol":"ICMP"} has no proper number or protocol',
    'port {"name":"b","containerPort":0,"protocol":"TCP"} has no proper number or protocol',
  ])
  t.match(parsePod({ metadata: named, status: { podIPs: [7] } }).problems, ['pod IP undefined is no address'])
})

t.test('an object without a proper name is refused: nobody could say which it is', async t => {
  for (const metadata of [undefined, {}, { name: 'a' }, { name: 'a"; drop', namespace: 'red' }])
    t.throws(() => parsePod({ metadata }), /Cannot read a Pod object: it has no proper metadata\.name/)
  t.throws(() => parseNamespace(null), /Cannot read a Namespace object/)
})

t.test('parseNamespace() adds the label with the name where an API server has not', async t => {
  t.same([...parseNamespace({ metadata: { name: 'red' } }).labels], [['kubernetes.io/metadata.name', 'red']])
})

t.test('isAttachedTo() tells a pod from its namesakes', async t => {
  const web = pod('red/web', [])
  t.equal(isAttachedTo(attachment('c', 'red/web', []), web), true)
  t.equal(isAttachedTo(attachment('c', 'red/web', [], ''), web), true, 'where the runtime tells no uid')
  t.equal(isAttachedTo(attachment('c', 'red/web', [], 'another'), web), false)
  t.equal(isAttachedTo(attachment('c', 'blue/web', [], ''), web), false)
})
