import fc from 'fast-check'
import t from 'tap'
import { parseMac } from '../mac.ts'
import { ip } from '../../../test/support/result.ts'
import { joined } from '../../../test/support/netlink.ts'
import {
  addressField,
  addressType,
  decodeFields,
  encodeFields,
  type Field,
  type FieldType,
  formatFields,
  macField,
  portField,
  protocolField,
} from './field.ts'

const BITS: Readonly<Record<FieldType, number>> = {
  ipv4_addr: 32,
  ipv6_addr: 128,
  ether_addr: 48,
  inet_proto: 8,
  inet_service: 16,
}

const arbitraryField = fc
  .constantFrom(...(Object.keys(BITS) as FieldType[]))
  .chain(type =>
    fc.bigInt({ min: 0n, max: (1n << BigInt(BITS[type])) - 1n }).map((value): Field => ({ type, value })),
  )

t.test('encodeFields() fills registers of four bytes when there are several fields', t => {
  const hex = (...fields: Field[]): string => encodeFields(fields).toHex()
  t.equal(hex(addressField(ip('10.1.0.5'))), '0a010005')
  t.equal(hex(portField(8080)), '1f90')
  t.equal(hex(protocolField('tcp'), portField(8080)), joined('06000000 1f900000'))
  t.equal(
    hex(addressField(ip('fd00::5')), protocolField('sctp'), portField(1)),
    joined('fd000000000000000000000000000005 84000000 00010000'),
  )
  t.equal(
    hex(addressField(ip('10.1.0.5')), macField(parseMac('0a:1d:a2:81:32:05')!)),
    joined('0a010005 0a1da281 32050000'),
  )
  t.equal(hex(), '')
  t.end()
})

t.test('decodeFields() is the reverse', t => {
  fc.assert(
    fc.property(fc.array(arbitraryField, { minLength: 1, maxLength: 4 }), fields => {
      const types = fields.map(field => field.type)
      t.same(decodeFields(types, encodeFields(fields)), fields)
    }),
  )
  t.end()
})

t.test('decodeFields() refuses bytes of another length', t => {
  t.equal(decodeFields(['ipv4_addr'], Uint8Array.of(10, 1, 0)), undefined)
  t.equal(decodeFields(['inet_proto', 'inet_service'], new Uint8Array(4)), undefined)
  t.end()
})

t.test('formatFields() writes what nft writes', t => {
  const fields = [addressField(ip('fd00::5')), protocolField('udp'), portField(53)]
  t.equal(formatFields(fields), 'fd00::5 . udp . 53')
  t.equal(formatFields([addressField(ip('10.1.0.5'))]), '10.1.0.5')
  t.equal(formatFields([macField(parseMac('0A:1D:a2:81:32:05')!)]), '0a:1d:a2:81:32:05')
  t.equal(formatFields([{ type: 'inet_proto', value: 1n }]), '1', 'a protocol without ports')
  t.end()
})

t.test('addressType() names the type of a family', t => {
  t.same(
    [ip('10.1.0.5'), ip('::1')].map(address => addressType(address.family)),
    ['ipv4_addr', 'ipv6_addr'],
  )
  t.end()
})
