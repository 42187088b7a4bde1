import t from 'tap'
import { reply, request } from '../../../test/support/netlink.ts'
import { type Attr, text } from './attr.ts'
import { encodeRequest, splitReplies } from './message.ts'
import { tableRequest } from './nfnetlink.ts'
import { dumpChains, dumpRules, getChain, parseChain, parseChainUse, parseRule, removeChain } from './rule.ts'

/** A message of the table as the kernel would send it. */
const body = (attrs: readonly Attr[]): Uint8Array =>
  splitReplies(encodeRequest(tableRequest(6, 0, attrs), 1))[0]!.body

t.test('dumpRules() asks for the rules of one chain, as nft does, or of all', t => {
  const one = encodeRequest(dumpRules('postrouting'), 1)
  t.same(one, request('nft list chain inet podwire postrouting'))
  t.same(dumpRules().attrs, [[1, text('podwire')]])
  t.end()
})

t.test('dumpChains() asks for all chains, and parseChain() reads those of our table', t => {
  t.match(dumpChains(), { type: 0xa04, flags: 0x300 })
  const name: Attr = [3, text('postrouting')]
  t.same(parseChain(body([name])), { name: 'postrouting', isBase: false })
  const hook: Attr = [4, [[1, Uint8Array.of(0, 0, 0, 4)]]]
  t.same(parseChain(body([name, hook])), { name: 'postrouting', isBase: true })
  t.equal(parseChain(body([[1, text('filter')], name])), undefined, 'of another table')
  t.equal(parseChain(body([])), undefined, 'without a name')
  t.end()
})

t.test('parseRule() reads chain and comment', t => {
  const comment = Uint8Array.of(0, 4, 97, 98, 99, 0)
  const attrs: Attr[] = [
    [2, text('postrouting')],
    [7, comment],
  ]
  t.same(parseRule(body(attrs)), { chain: 'postrouting', comment: 'abc' })
  t.same(parseRule(body([])), { chain: '', comment: undefined })
  t.end()
})

t.test('parseChainUse() reads how often a chain is used', t => {
  const [answer] = splitReplies(reply('nft list chain inet podwire leaving-10.1.0.0/24'))
  t.equal(parseChainUse(answer!.body), 1)
  t.equal(parseChainUse(body([])), 0)
  t.end()
})

t.test('getChain() and removeChain() name one chain', t => {
  t.match(getChain('x'), { type: 0xa04, flags: 0 })
  t.same(getChain('x').attrs, [
    [1, text('podwire')],
    [3, text('x')],
  ])
  t.same(
    removeChain('x').map(({ type, attrs }) => [type, attrs[1]]),
    [
      [0xa08, [2, text('x')]],
      [0xa05, [3, text('x')]],
    ],
    'its rules, then itself',
  )
  t.end()
})
