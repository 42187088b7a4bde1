import t from 'tap'
import { wrapperOf } from './wrapper.ts'

t.test('A wrapper starts the executable of its name in the folder beside it', async t => {
  t.match(wrapperOf('podwire-ipam'), /^#!\/bin\/sh\n/)
  t.match(wrapperOf('podwire'), /if \[ ! -e \/run\/podwire\/ready \]/)
  t.match(wrapperOf('podwire-ipam'), /^exec "\$\{0%\/\*\}\/podwire\.d\/podwire-ipam" "\$@"\n$/m)
})
