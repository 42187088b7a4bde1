import t from 'tap'
import { ip } from '../../test/support/result.ts'
import { closing, hasPods, removal } from './closing.ts'
import { parseAttrs, readText } from './netlink/attr.ts'
import { parseElement, splitElements } from './netlink/element.ts'
import { encodeRequest, type Request, splitReplies } from './netlink/message.ts'

/** What a request does, in the words of nft. */
function words(request: Request): string[] {
  const { type, body } = splitReplies(encodeRequest(request, 1))[0]!
  const set = readText(parseAttrs(body.subarray(4)).get(2))
  return splitElements(body).map(bytes => {
    const { key, data, comment } = parseElement(bytes)!
    const target = data?.kind === 'goto' ? ` : goto ${data.chain}` : ''
    return `${type === 0xa0e ? 'delete' : 'create'} ${set} ${key.toHex()}${target}${comment === undefined ? '' : ` "${comment}"`}`
  })
}

const SHAPE = { name: 'policy-pods4-1', version: 4, parts: 1, isOfRanges: false } as const

t.test('hasPods() chooses the sets of policies that begin with the address of a pod', t => {
  t.ok(hasPods(SHAPE))
  t.ok(hasPods({ ...SHAPE, name: 'policy-ports6-1', version: 6, parts: 3 }))
  t.notOk(hasPods({ ...SHAPE, name: 'masquerade4' }), 'the set of something else')
  t.notOk(hasPods({ ...SHAPE, isOfRanges: true }), 'ranges')
  t.notOk(hasPods({ ...SHAPE, version: undefined }), 'another kind of key')
  t.end()
})

t.test('removal() takes keys out of their sets', t => {
  const places = [
    { set: 'a', key: Uint8Array.of(1) },
    { set: 'b', key: Uint8Array.of(2) },
    { set: 'a', key: Uint8Array.of(3) },
  ]
  t.same(removal(places).flatMap(words), ['delete a 01', 'delete a 03', 'delete b 02'])
  t.same(removal([]), [])
  t.end()
})

t.test('closing() closes each address in both directions, but to itself', t => {
  const pod = {
    id: 'n/c1/eth0',
    namespace: 'shop',
    name: 'db',
    uid: '',
    addresses: [ip('10.1.0.5'), ip('fd00::5')],
  }
  const [v4, v6] = ['0a010005', 'fd000000000000000000000000000005']
  t.same(closing(pod).flatMap(words), [
    `create policy-ingress4 ${v4} : goto policy-drop-ingress "shop/db"`,
    `create policy-dropped-ingress4 ${v4}`,
    `create policy-egress4 ${v4} : goto policy-drop-egress "shop/db"`,
    `create policy-dropped-egress4 ${v4}`,
    `create policy-self4 ${v4}${v4}`,
    `create policy-ingress6 ${v6} : goto policy-drop-ingress "shop/db"`,
    `create policy-dropped-ingress6 ${v6}`,
    `create policy-egress6 ${v6} : goto policy-drop-egress "shop/db"`,
    `create policy-dropped-egress6 ${v6}`,
    `create policy-self6 ${v6}${v6}`,
  ])
  t.end()
})

t.test('closing() keeps comments as short as nft does', t => {
  const pod = {
    id: 'n/c1/eth0',
    namespace: 'shop',
    name: 'a'.repeat(253),
    uid: '',
    addresses: [ip('10.1.0.5')],
  }
  t.equal(/"(.*)"/.exec(closing(pod).flatMap(words)[0]!)?.[1]?.length, 128)
  t.end()
})
