import t from 'tap'
import { addresses, wish } from '../../test/support/wish.ts'
import { refuseNarrow } from './mtu.ts'

const V4 = '10.1.0.5/24'
const V6 = 'fd00::5/64'

/** Looks at a container with these addresses, once `mtu` is in the config, once it is the node's. */
function refusal(mtu: number, inConfig: boolean, ...ips: string[]): string | undefined {
  const { config, node, result } = wish(inConfig ? { mtu } : {}, addresses(...ips))
  try {
    refuseNarrow(config, { ...node, mtu }, result)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

t.test('refuseNarrow() refuses IPv6 under 1280 bytes and says where the MTU comes from', t => {
  const sentence = (origin: string) =>
    `Cannot add the address fd00::5/64: IPv6 needs an MTU of 1280 bytes, and ${origin} 1279; set "mtu" to that or more, or leave IPv6 out of "ipam"`
  t.equal(refusal(1279, true, V4, V6), sentence('"mtu" is'))
  t.equal(refusal(1279, false, V6), sentence("the default route's interface has"))
  t.end()
})

t.test('refuseNarrow() takes IPv6 from 1280 bytes on, and IPv4 with any', t => {
  for (const inConfig of [true, false]) {
    t.equal(refusal(1280, inConfig, V4, V6), undefined)
    t.equal(refusal(68, inConfig, V4), undefined)
    t.equal(refusal(68, inConfig), undefined)
  }
  t.end()
})
