import t from 'tap'
import {
  createElements,
  deleteElements,
  type Element as ElementBytes,
} from '../../../cni/core/netlink/element.ts'
import { pod, policy } from '../../../test/support/policy-objects.ts'
import { cidr } from '../../../test/support/result.ts'
import { Compiler } from './compile.ts'
import { difference } from './difference.ts'
import { changeRequests } from './requests.ts'

const WISH = { node: 'n1', unknownPods: 'closed', log: false } as const
const WEBS = { podSelector: { matchLabels: { app: 'web' } } }
const DB = policy('red/db', {
  podSelector: { matchLabels: { app: 'db' } },
  ingress: [
    { from: [WEBS], ports: [{ port: 80 }] },
    { from: [{ namespaceSelector: {} }], ports: [{ port: 81 }] },
  ],
})
const elsewhere = { spec: { nodeName: 'n2' } }

/** What a change comes to, beside two databases and a policy. */
function requests(change: (compiler: Compiler) => void) {
  const compiler = new Compiler(WISH)
  compiler.setPod(pod('red/db-1', ['10.1.0.1', 'fd00::1'], { app: 'db' }))
  compiler.setPod(pod('red/web-1', ['10.1.0.9'], { app: 'web' }, elsewhere))
  compiler.setPolicy(DB)
  compiler.setPodCidrs([cidr('10.1.0.0/24')])
  const before = compiler.compile()
  change(compiler)
  const after = compiler.compile()
  const chain = after.sets.get('policy-ingress4')!.elements.get('10.1.0.1')?.target ?? ''
  const peers = [...after.sets.keys()].find(name => name.startsWith('policy-pods4-'))!
  return { made: changeRequests(after, difference(before, after)), chain, peers }
}

const bare = (...key: number[]): ElementBytes => ({
  key: Uint8Array.from(key),
  data: undefined,
  comment: undefined,
})

t.test('a pod that is isolated like others is elements that nobody has yet', t => {
  const { made, chain } = requests(compiler => compiler.setPod(pod('red/db-2', ['10.1.0.2'], { app: 'db' })))
  const leading = { data: { kind: 'goto', chain } as const, comment: 'red/db-2' }
  t.same(made, [
    ...createElements('policy-self4', [bare(10, 1, 0, 2, 10, 1, 0, 2)]),
    ...createElements('policy-ingress4', [{ key: Uint8Array.of(10, 1, 0, 2), ...leading }]),
    ...createElements('policy-dropped-ingress4', [bare(10, 1, 0, 2)]),
  ])
  t.end()
})

t.test('a peer that goes is an element that is there', t => {
  const { made, peers } = requests(compiler => compiler.deletePod({ namespace: 'red', name: 'web-1' }))
  t.same(made, deleteElements(peers, [Uint8Array.of(10, 1, 0, 9)]))
  t.end()
})

t.test('nothing comes to nothing', t => {
  t.same(requests(() => {}).made, [])
  t.end()
})

t.test('chains, sets and ranges are left to nft', t => {
  const other = policy('red/other', { podSelector: {} })
  t.equal(requests(compiler => compiler.setPolicy(other)).made, undefined, 'a policy that comes')
  t.equal(requests(compiler => compiler.deletePolicy(DB)).made, undefined, 'one that goes')
  const cidrs = [cidr('10.1.0.0/24'), cidr('10.3.0.0/24')]
  t.equal(requests(compiler => compiler.setPodCidrs(cidrs)).made, undefined, 'a range')
  t.end()
})
