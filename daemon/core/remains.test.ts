import t from 'tap'
import { LINK } from '../../test/support/link.ts'
import type { Link } from '../../cni/core/netlink/link.ts'
import { ownLinks, whyBridgeStays } from './remains.ts'

const link = (name: string, more: Partial<Link> = {}): Link => ({
  ...LINK,
  name,
  ...more,
})
const CBR0 = link('cbr0', { index: 7, kind: 'bridge' })
const OURS = link('veth34b2e05ed6e', { alias: 'podwire podwire c1 eth0', master: 7 })
const HALF_MADE = link('veth00000000001', { master: 7 })

t.test('Our links are known by their alias, wherever they are', async t => {
  const renamed = link('uplink', { alias: 'podwire podwire c2 eth0' })
  t.same(ownLinks([CBR0, OURS, renamed]), [OURS, renamed])
  t.same(ownLinks([OURS]), [OURS], 'without a bridge')
})

t.test('A veth without alias is ours by its name and our bridge', async t => {
  t.same(ownLinks([CBR0, HALF_MADE]), [HALF_MADE])
  t.same(ownLinks([HALF_MADE]), [])
})

t.test('An ifb device is ours by its alias, and without one by its name', async t => {
  const labelled = link('bwp0', { kind: 'ifb', alias: 'podwire podwire c1 eth0' })
  const bare = link('bwp34b2e05ed6e', { kind: 'ifb' })
  const others = [
    link('bwp11111111111', { kind: 'ifb', alias: 'podwire pods c1 eth0' }),
    link('bwp222222222222', { kind: 'ifb' }),
    link('ifb0', { kind: 'ifb' }),
    link('bwp33333333333', { master: 7 }),
  ]
  t.same(ownLinks([CBR0, labelled, bare, ...others]), [labelled, bare])
})

t.test('Links of others are nobody’s business', async t => {
  const others = [
    link('veth11111111111', { alias: 'podwire pods c1 eth0', master: 7 }),
    link('veth22222222222', { alias: 'the uplink', master: 7 }),
    link('veth33333333333', { master: 8 }),
    link('veth44444444444'),
    link('veth5555555', { master: 7 }),
    link('wlan0', { alias: 'podwire podwire c1 eth0', kind: undefined }),
  ]
  t.same(ownLinks([CBR0, ...others]), [])
})

t.test('The bridge goes when nobody is in it', async t => {
  t.equal(whyBridgeStays([CBR0, link('other', { master: 8 })]), undefined)
  t.equal(whyBridgeStays([]), undefined)
  t.match(whyBridgeStays([CBR0, link('a', { master: 7 }), link('b', { master: 7 })]), /^a, b in it/)
  t.match(whyBridgeStays([link('cbr0', { kind: 'dummy' })]), /no bridge/)
})
