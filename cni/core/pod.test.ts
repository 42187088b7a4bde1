import fc from 'fast-check'
import t from 'tap'
import { ip } from '../../test/support/result.ts'
import type { NetworkName } from '../spec/config.ts'
import { parseMac } from './mac.ts'
import { isName, parseArgs, parseContainerId, parseIfName } from '../spec/environment.ts'
import {
  addressesOfOnly,
  type Attached,
  attachedPod,
  attachmentId,
  fileOfId,
  formatAttached,
  idOfFile,
  isIdOf,
  isObjectName,
  parseAttached,
  refuseUnnamed,
} from './pod.ts'

const PODS = 'pods' as NetworkName
const ID = 'pods/c1/eth0'
const MAC = parseMac('0a:1d:a2:81:32:05')!

const idOf = (network: string, containerId: string, ifname: string): string =>
  attachmentId(network as NetworkName, {
    containerId: parseContainerId(containerId, 'id'),
    ifname: parseIfName(ifname, 'ifname'),
  })

t.test('an attachment has an id in its network', t => {
  t.equal(idOf('pods', 'c1', 'eth0'), ID)
  t.ok(isIdOf(PODS, ID))
  t.notOk(isIdOf('pod' as NetworkName, ID))
  t.notOk(isIdOf('pods.2' as NetworkName, ID))
  const long = 'n'.repeat(200) as NetworkName
  t.ok(isIdOf(long, idOf(long, 'c1', 'eth0')))
  t.equal(idOf(long, 'c1', 'eth0').length, 40 + '/c1/eth0'.length, 'a file can be called after it')
  t.end()
})

t.test('an id and the name of its file tell each other', t => {
  t.equal(fileOfId(ID), 'pods@c1@eth0')
  const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,60}$/).filter(isName)
  const ifname = fc.stringMatching(/^[!-$&-.0-9;-~]{1,15}$/).filter(text => {
    try {
      return parseIfName(text, 'ifname') === text
    } catch {
      return false
    }
  })
  fc.assert(
    fc.property(name, name, ifname, (network, containerId, own) => {
      const id = idOf(network, containerId, own)
      return idOfFile(fileOfId(id)) === id && !fileOfId(id).includes('/')
    }),
  )
  for (const file of ['pods', 'pods@c1', 'pods@c1@', '@c1@eth0', '.pods@c1@eth0', ''])
    t.equal(idOfFile(file), undefined, file)
  t.end()
})

t.test('attachedPod() reads what Kubernetes’ runtimes say', t => {
  const args = parseArgs(
    'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db-0;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=1-2',
  )
  const addresses = [ip('10.1.0.5')]
  t.same(attachedPod(args, ID, addresses, undefined), {
    id: ID,
    namespace: 'shop',
    name: 'db-0',
    uid: '1-2',
    addresses,
  })
  const bare = parseArgs('K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db-0')
  t.same(attachedPod(bare, ID, [], undefined), {
    id: ID,
    namespace: 'shop',
    name: 'db-0',
    uid: '',
    addresses: [],
  })
  t.same(attachedPod(parseArgs('K8S_POD_NAMESPACE=shop'), ID, [], MAC), {
    id: ID,
    namespace: 'shop',
    name: '',
    uid: '',
    addresses: [],
    mac: MAC,
  })
  t.end()
})

t.test('attachedPod() finds no pod where none is named, as with Podman', t => {
  for (const args of ['', 'IgnoreUnknown=1;K8S_POD_NAME=My_Container', 'K8S_POD_NAMESPACE=;K8S_POD_NAME=a'])
    t.equal(attachedPod(parseArgs(args), ID, [], MAC), undefined, args)
  t.end()
})

const POD: Attached = { id: ID, namespace: 'shop', name: 'db-0', uid: '1-2', addresses: [] }

t.test('refuseUnnamed() lets pods pass that Kubernetes can have', t => {
  for (const name of ['a', '0', 'db-0', 'a.b-c.d', 'a'.repeat(253)])
    t.doesNotThrow(() => refuseUnnamed({ ...POD, name }), name)
  t.end()
})

t.test('refuseUnnamed() refuses names that none can have, and says which', t => {
  for (const name of ['', 'My_Pod', '-a', 'a-', 'a..b', '.', '../x', 'a/b', 'a b', 'a\n', 'a'.repeat(254)]) {
    t.throws(() => refuseUnnamed({ ...POD, name }), {
      kind: 'invalid-environment',
      message: `Cannot wire the pod of K8S_POD_NAME="${name.slice(0, 80)}" in CNI_ARGS: this node enforces NetworkPolicies`,
    })
    t.throws(() => refuseUnnamed({ ...POD, namespace: name }), {
      kind: 'invalid-environment',
      message: /^Cannot wire the pod of K8S_POD_NAMESPACE="/,
    })
  }
  t.end()
})

const objectName = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/).filter(isObjectName)
const address = fc.oneof(
  fc.ipV4().map(ip),
  fc.ipV6().map(text => ip(text)),
)

t.test('what is written of a pod can be read', t => {
  fc.assert(
    fc.property(
      objectName,
      objectName,
      fc.string(),
      fc.array(address, { maxLength: 3 }),
      fc.constantFrom({}, { mac: MAC }),
      (namespace, name, uid, addresses, by) => {
        const pod = { id: ID, namespace, name, uid, addresses, ...by }
        t.strictSame(parseAttached(ID, formatAttached(pod)), pod)
      },
    ),
  )
  t.equal(
    formatAttached({ ...POD, addresses: [ip('10.1.0.5'), ip('fd00::5')], mac: MAC }),
    '{"namespace":"shop","name":"db-0","uid":"1-2","addresses":["10.1.0.5","fd00::5"],"mac":"0a:1d:a2:81:32:05"}\n',
  )
  t.end()
})

t.test('parseAttached() trusts nothing else', t => {
  const good = JSON.parse(formatAttached(POD))
  for (const wrong of [
    { namespace: 1 },
    { namespace: '../..' },
    { name: undefined },
    { name: 'My_Pod' },
    { uid: null },
    { addresses: '10.1.0.5' },
    { addresses: ['10.1.0.5', 'x'] },
    { addresses: [5] },
    { mac: 5 },
    { mac: 'ff:ff:ff:ff:ff:ff' },
  ])
    t.equal(parseAttached(ID, JSON.stringify({ ...good, ...wrong })), undefined, JSON.stringify(wrong))
  for (const text of ['', 'null', '[]', '"x"', '{"namespace":'])
    t.equal(parseAttached(ID, text), undefined, text)
  fc.assert(
    fc.property(fc.json(), text => {
      parseAttached(ID, text)
    }),
  )
  t.end()
})

t.test('what an attachment leaves is what nobody else holds', t => {
  const pod = (id: string, ...addresses: string[]): Attached => ({
    id,
    namespace: 'shop',
    name: 'web',
    uid: '',
    addresses: addresses.map(ip),
  })
  const pods = [pod(ID, '10.244.1.5', 'fd00::5'), pod('pods/c2/eth0', '10.244.1.5')]
  t.same(addressesOfOnly(ID, pods), [ip('fd00::5')], 'its IPv4 address is a living pod’s as well')
  t.same(addressesOfOnly('pods/c2/eth0', pods), [])
  t.same(addressesOfOnly('pods/c3/eth0', pods), [], 'an attachment that nobody has heard of')
  t.end()
})
