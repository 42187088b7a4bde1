import t from 'tap'
import { formatIp } from '../../../ipam/core/ip.ts'
import { reply, request } from '../../../test/support/netlink.ts'
import { ip } from '../../../test/support/result.ts'
import type { Mac } from '../mac.ts'
import { encodeAttrs } from './attr.ts'
import { encodeRequest, type Request, splitReplies } from './message.ts'
import { delNeighbour, dumpNeighbours, parseNeighbour, replaceFdb, replaceNeighbour } from './neighbour.ts'

const MAC = '02:00:00:00:00:09' as Mac
const sent = (message: Request): string => encodeRequest(message, 1).toHex()

t.test('replaceNeighbour() sends what `ip neighbour replace` sends', t => {
  for (const address of ['10.1.0.5', 'fd00::5'])
    t.equal(
      sent(replaceNeighbour(2, ip(address), MAC)),
      request(`ip neighbour replace ${address} lladdr ${MAC} dev cbr0 nud permanent`).toHex(),
    )
  t.end()
})

t.test('delNeighbour() sends what `ip neighbour del` sends', t => {
  t.equal(sent(delNeighbour(2, ip('10.1.0.5'))), request('ip neighbour del 10.1.0.5 dev cbr0').toHex())
  t.end()
})

t.test('replaceFdb() sends what `bridge fdb replace` sends', t => {
  t.equal(
    sent(replaceFdb(4, MAC)),
    request(`bridge fdb replace ${MAC} dev veth0 master static sticky`).toHex(),
  )
  t.end()
})

t.test('dumpNeighbours() asks as `ip neighbour show` does', t => {
  t.equal(sent(dumpNeighbours(2)), request('ip neighbour show dev cbr0').toHex())
  t.end()
})

t.test('parseNeighbour() reads what the kernel shows', t => {
  const shown = splitReplies(reply('ip neighbour show dev cbr0')).map(({ body }) => parseNeighbour(body))
  t.same(
    shown.map(known => known && [formatIp(known.ip), known.mac, known.index, known.isPermanent]),
    [
      ['10.1.0.6', '02:00:00:00:00:0a', 2, false],
      ['10.1.0.5', MAC, 2, true],
      ['224.0.0.22', '01:00:5e:00:00:16', 2, false],
      ['ff02::16', '33:33:00:00:00:16', 2, false],
      ['fd00::5', MAC, 2, true],
      undefined,
    ],
  )
  t.end()
})

t.test('parseNeighbour() passes over who is looked for, and what is not of IP', t => {
  const body = (family: number, attrs: Parameters<typeof encodeAttrs>[0]) =>
    parseNeighbour(Uint8Array.of(family, ...Array<number>(11).fill(0), ...encodeAttrs(attrs)))
  const [dst, lladdr] = [
    [1, Uint8Array.of(10, 1, 0, 5)],
    [2, new Uint8Array(6)],
  ] as const
  t.match(body(2, [dst, lladdr]), { index: 0 })
  t.equal(body(2, [dst]), undefined)
  t.equal(body(2, [lladdr]), undefined)
  t.equal(body(2, [dst, [2, new Uint8Array(20)]]), undefined)
  t.equal(body(7, [dst, lladdr]), undefined)
  t.end()
})
