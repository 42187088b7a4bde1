import t from 'tap'
import { request } from '../../../test/support/netlink.ts'
import { ip } from '../../../test/support/result.ts'
import type { Mac } from '../mac.ts'
import { encodeRequest } from './message.ts'
import { delNeighbour, replaceNeighbour } from './neighbour.ts'

t.test('replaceNeighbour() sends what `ip neighbour replace` sends', t => {
  const mac = '02:00:00:00:00:09' as Mac
  for (const address of ['10.1.0.5', 'fd00::5'])
    t.equal(
      encodeRequest(replaceNeighbour(2, ip(address), mac), 1).toHex(),
      request(`ip neighbour replace ${address} lladdr ${mac} dev cbr0 nud stale`).toHex(),
    )
  t.end()
})

t.test('delNeighbour() sends what `ip neighbour del` sends', t => {
  t.equal(
    encodeRequest(delNeighbour(2, ip('10.1.0.5')), 1).toHex(),
    request('ip neighbour del 10.1.0.5 dev cbr0').toHex(),
  )
  t.end()
})
