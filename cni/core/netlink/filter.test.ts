import fc from 'fast-check'
import t from 'tap'
import { reply, request } from '../../../test/support/netlink.ts'
import { type Attr, attrList, concat, encodeAttrs, parseAttrs } from './attr.ts'
import { addRedirect, dumpFilters, parseRedirects } from './filter.ts'
import { encodeRequest, splitReplies } from './message.ts'

const COMMAND =
  'tc filter add dev veth0 parent ffff: protocol all prio 1 u32 match u32 0 0 action mirred egress redirect dev bwp0'
const bodyOf = (message: Uint8Array): Uint8Array => splitReplies(message)[0]!.body
const ASKED = encodeRequest(addRedirect({ index: 3, to: 4 }), 1)

/** The action that a request describes, and the rest of it; senders flag nested attributes or not. */
function parts(message: Uint8Array) {
  const { type, flags, body } = splitReplies(message)[0]!
  const attrs = parseAttrs(body.subarray(20))
  const options = parseAttrs(attrs.get(2)!)
  const [[order, action]] = attrList(options.get(7)!) as [[number, Uint8Array]]
  const inner = parseAttrs(action)
  return {
    fixed: { type, flags, header: body.subarray(0, 20), kind: attrs.get(1), selector: options.get(5) },
    action: { order, kind: inner.get(1), parms: parseAttrs(inner.get(2)!).get(2) },
  }
}

t.test('addRedirect() asks as `tc filter add` does', t => {
  const [ours, theirs] = [parts(ASKED), parts(request(COMMAND))]
  t.same(ours.fixed, theirs.fixed)
  t.equal(ours.action.order, theirs.action.order)
  t.same(ours.action.parms, theirs.action.parms)
  t.equal(new TextDecoder().decode(ours.action.kind), 'mirred\0', 'tc leaves the NUL out')
  t.end()
})

t.test('dumpFilters() asks as `tc filter show` does', t => {
  t.same(encodeRequest(dumpFilters(3), 1), request('tc filter show dev veth0 parent ffff:'))
  t.end()
})

t.test('parseRedirects() reads what the kernel shows: a head, a hash table, and the filter', t => {
  const shown = splitReplies(reply('tc filter show dev veth0 parent ffff:')).map(({ body }) => body)
  t.strictSame(shown.map(parseRedirects), [[], [], [{ index: 3, to: 4 }]])
  t.end()
})

t.test('parseRedirects() reads back what addRedirect() asks for', t => {
  const index = fc.integer({ min: 1, max: 2 ** 31 - 1 })
  fc.assert(
    fc.property(index, index, (index, to) => {
      const [redirect, ...others] = parseRedirects(bodyOf(encodeRequest(addRedirect({ index, to }), 1)))
      return redirect?.index === index && redirect.to === to && others.length === 0
    }),
  )
  t.end()
})

t.test('parseRedirects() passes over other actions, and what is cut off', t => {
  const changed = (at: number, byte: number): Uint8Array => {
    const body = bodyOf(ASKED).slice()
    body[at] = byte
    return body
  }
  const eaction = bodyOf(ASKED).toHex().indexOf('0100000004000000') / 2
  t.strictSame(parseRedirects(changed(eaction, 1)), [{ index: 3, to: 4 }])
  t.strictSame(parseRedirects(changed(eaction, 2)), [], 'a mirror')
  t.strictSame(parseRedirects(bodyOf(ASKED).subarray(0, 60)), [])
  const bare: Attr[] = [
    [1, []],
    [2, [[2, []]]],
  ]
  const body = concat([new Uint8Array(20), encodeAttrs([[2, [[7, bare]]]])])
  t.strictSame(parseRedirects(body), [], 'actions that say nothing')
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 200 }), body =>
      Array.isArray(parseRedirects(body)),
    ),
  )
  t.end()
})
