import fc from 'fast-check'
import t from 'tap'
import { parseResolvConf } from './resolv-conf.ts'

t.test('parseResolvConf() reads all lines; of domains the last', t => {
  const text = [
    '# comment',
    '; another',
    'nameserver 10.0.0.2',
    '\tnameserver  fe80::1%eth0  more',
    'nameserver',
    'domain a.example',
    'domain b.example',
    'search x.example y.example',
    'search z.example',
    'options ndots:5 rotate\r',
    'sortlist 10.0.0.0',
  ].join('\n')
  t.same(parseResolvConf(text), {
    nameservers: ['10.0.0.2', 'fe80::1%eth0'],
    domain: 'b.example',
    search: ['x.example', 'y.example', 'z.example'],
    options: ['ndots:5', 'rotate'],
  })
  t.end()
})

t.test('parseResolvConf() has no fields for what is not there', t => {
  t.same(parseResolvConf(''), {})
  t.same(parseResolvConf('search\noptions\ndomain\nnameserver'), {})
  t.end()
})

t.test('parseResolvConf() knows what is no text', t => {
  t.equal(parseResolvConf('nameserver 10.0.0.2\0'), undefined)
  t.equal(parseResolvConf(new TextDecoder().decode(Uint8Array.of(0xff, 0xfe))), undefined)
  t.end()
})

t.test('parseResolvConf() never throws', t => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => typeof parseResolvConf(text) !== 'string'))
  t.end()
})
