import t from 'tap'
import { request } from '../../../test/support/netlink.ts'
import { encodeRequest } from './message.ts'
import { dumpRules } from './rule.ts'

t.test('dumpRules() asks for the rules of one chain, as nft does', t => {
  t.same(
    encodeRequest(dumpRules('podwire', 'postrouting'), 1),
    request('nft list chain inet podwire postrouting'),
  )
  t.end()
})
