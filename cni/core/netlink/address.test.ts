import fc from 'fast-check'
import t from 'tap'
import { formatCidr } from '../../../ipam/core/ip.ts'
import { reply, request } from '../../../test/support/netlink.ts'
import { cidr } from '../../../test/support/result.ts'
import { addAddress, delAddress, dumpAddresses, parseAddress } from './address.ts'
import { parseAttrs } from './attr.ts'
import { encodeRequest, FLAG, type Request, splitReplies, TYPE } from './message.ts'

const parts = (message: Uint8Array) => {
  const { type, flags, body } = splitReplies(message)[0]!
  return { type, flags, header: body.subarray(0, 8), attrs: parseAttrs(body.subarray(8)) }
}
const encoded = (request: Request) => parts(encodeRequest(request, 1))

t.test('addAddress() asks as `ip address add` does, but says nodad in the attribute', t => {
  const v4 = parts(request('ip address add 10.1.0.1/24 dev cbr0'))
  const ours = encoded(addAddress(2, cidr('10.1.0.1/24'), true))
  t.match(ours, { type: v4.type, flags: v4.flags, header: v4.header })
  t.same(
    [...ours.attrs].filter(([type]) => type !== 8),
    [...v4.attrs],
  )
  const v6 = parts(request('ip address add fd00::1/64 dev cbr0 nodad'))
  const nodad = encoded(addAddress(2, cidr('fd00::1/64'), false))
  t.equal(v6.header[2], 2, 'ip: IFA_F_NODAD in the header')
  t.same(nodad.attrs.get(8), Uint8Array.of(2, 0, 0, 0), 'ours: in IFA_FLAGS')
  t.same(nodad.attrs.get(2), v6.attrs.get(2))
  t.end()
})

t.test('delAddress() sends what `ip address del` sends', t => {
  t.equal(
    encodeRequest(delAddress(2, cidr('10.1.0.1/24')), 1).toHex(),
    request('ip address del 10.1.0.1/24 dev cbr0').toHex(),
  )
  t.end()
})

t.test('dumpAddresses() asks for one interface’s', t => {
  t.match(dumpAddresses(2), { type: TYPE.getAddress, flags: FLAG.dump, attrs: [] })
  t.equal(dumpAddresses(2).header.toHex(), '0000000002000000')
  t.end()
})

t.test('parseAddress() reads what the kernel shows', t => {
  const read = splitReplies(reply('ip address show dev cbr0')).map(({ body }) => parseAddress(body)!)
  t.same(
    read.map(({ cidr, ...rest }) => ({ cidr: formatCidr(cidr), ...rest })),
    [
      { cidr: '10.1.0.1/24', index: 2, tentative: false, duplicate: false },
      { cidr: 'fd00::1/64', index: 2, tentative: false, duplicate: false },
      { cidr: 'fe80::ff:fe00:1/64', index: 2, tentative: true, duplicate: false },
    ],
  )
  t.end()
})

t.test('parseAddress() reads back the address that addAddress() wrote, and flags of the header', t => {
  for (const text of ['10.1.0.1/24', 'fd00::1/64', '0.0.0.0/0', '255.255.255.255/32']) {
    const { body } = splitReplies(encodeRequest(addAddress(7, cidr(text), true), 1))[0]!
    t.equal(formatCidr(parseAddress(body)!.cidr), text)
  }
  const bare = Uint8Array.from([2, 24, 0x08, 0, 1, 0, 0, 0, 8, 0, 1, 0, 10, 1, 0, 1])
  t.match(parseAddress(bare), { duplicate: true, tentative: false })
  t.end()
})

t.test('parseAddress() passes over other families and messages without an address', t => {
  t.equal(parseAddress(Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 0, 10, 1, 0, 1)), undefined)
  t.equal(parseAddress(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0)), undefined)
  t.end()
})

t.test('parseAddress() never reads past a body, whatever its attributes are', t => {
  const rest = fc.uint8Array({ maxLength: 100 })
  fc.assert(
    fc.property(fc.constantFrom(2, 10, 7), rest, (af, rest) => {
      const read = parseAddress(Uint8Array.of(af, 24, 0, 0, 1, 0, 0, 0, ...rest))
      return read === undefined || read.index === 1
    }),
  )
  t.end()
})
