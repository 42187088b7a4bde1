import t from 'tap'
import { reply } from '../../../test/support/netlink.ts'
import { text } from './attr.ts'
import { encodeRequest, FLAG, splitReplies } from './message.ts'
import { tableRequest } from './nfnetlink.ts'
import { dumpSets, parseSet } from './set.ts'

t.test('dumpSets() asks for all sets of the table', t => {
  t.match(dumpSets(), { type: 0xa0a, flags: FLAG.dump })
  t.same(dumpSets().attrs, [[1, text('podwire')]])
  t.end()
})

t.test('parseSet() reads what the kernel answers', t => {
  const replies = splitReplies(reply('nft list sets inet podwire'))
  t.same(
    replies.map(({ body }) => parseSet(body)),
    [
      { name: 'policy-ingress4', version: 4, parts: 1, isOfRanges: false },
      { name: 'policy-self6', version: 6, parts: 2, isOfRanges: false },
      { name: 'policy-ports4-1', version: 4, parts: 3, isOfRanges: false },
      { name: 'policy-blocks6-1', version: 6, parts: 1, isOfRanges: true },
      { name: 'hostports4', version: undefined, parts: 2, isOfRanges: false },
    ],
  )
  t.end()
})

t.test('parseSet() makes do with what is there', t => {
  const [empty] = splitReplies(encodeRequest(tableRequest(9, 0, []), 1))
  t.same(parseSet(empty!.body), { name: '', version: undefined, parts: 0, isOfRanges: false })
  t.end()
})
