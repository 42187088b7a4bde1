import t from 'tap'
import { LINK } from '../../test/support/link.ts'
import { wish } from '../../test/support/wish.ts'
import { EMPTY_RESULT } from '../spec/result.ts'
import { compare, type Observed } from './compare.ts'
import { attachmentIfb, attachmentPair } from './names.ts'
import { IFF } from './netlink/link-header.ts'
import type { Link } from './netlink/link.ts'
import { plan } from './plan/plan.ts'

const WISH = wish({ ingressRate: 80, ingressBurst: 80, egressRate: 800, egressBurst: 80 }, EMPTY_RESULT)
const STEPS = plan(WISH)
const PAIR = attachmentPair(WISH.attachment)

const link = (index: number, name: string, kind: string, more: Partial<Link> = {}): Link => ({
  ...LINK,
  index,
  name,
  kind,
  flags: IFF.up,
  mac: PAIR.peerMac,
  ...more,
})
const BRIDGE = link(1, 'cbr0', 'bridge')
const VETH = link(2, PAIR.name, 'veth', { master: 1 })
const IFB = link(4, attachmentIfb(WISH.attachment).name, 'ifb')
const TO_POD = { index: 2, kind: 'tbf', rate: 10 }
const FROM_POD = { index: 4, kind: 'tbf', rate: 100 }
const REDIRECT = { index: 2, to: 4 }

const ALL: Observed = {
  host: { links: [BRIDGE, VETH, IFB], addresses: [] },
  container: { links: [link(3, 'eth0', 'veth', { peer: 2 })], addresses: [] },
  routes: [],
  rules: [],
  ruleCounts: new Map(),
  qdiscs: [TO_POD, FROM_POD],
  redirects: [REDIRECT],
}
const found = (more: Partial<Observed>): string[] => compare(STEPS, { ...ALL, ...more })

t.test('compare() finds no difference where both directions are limited', t => {
  t.same(compare(STEPS, ALL), [])
  t.same(found({ redirects: [{ index: 2, to: 9 }, REDIRECT] }), [], 'nor when others redirect, too')
  t.end()
})

t.test('compare() sees a limit that is gone, or another', t => {
  t.same(found({ qdiscs: [FROM_POD] }), ['the rate of "vethd72e032fedd" is not limited'])
  t.same(found({ qdiscs: [TO_POD, { index: 4, kind: 'fq', rate: undefined }] }), [
    'the rate of "bwpd72e032fedd" is not limited',
  ])
  t.same(found({ qdiscs: [{ ...TO_POD, rate: 11 }, FROM_POD] }), [
    'the rate of "vethd72e032fedd" is limited to 88 bit/s, not 80',
  ])
  t.end()
})

t.test('compare() sees that the container’s traffic goes past the limit', t => {
  const past = ['what comes in through "vethd72e032fedd" is not redirected to "bwpd72e032fedd"']
  t.same(found({ redirects: [] }), past)
  t.same(found({ redirects: [{ index: 2, to: 1 }] }), past)
  t.same(found({ redirects: [{ index: 1, to: 4 }] }), past)
  t.end()
})

t.test('compare() sees an ifb device that is gone, is none, or is down', t => {
  const host = (...links: Link[]): Partial<Observed> => ({
    host: { links: [BRIDGE, VETH, ...links], addresses: [] },
  })
  const gone = 'the ifb device "bwpd72e032fedd" is gone'
  t.equal(found(host())[0], gone)
  t.equal(found(host({ ...IFB, kind: 'dummy' }))[0], gone)
  t.same(found(host({ ...IFB, flags: 0 })), ['"bwpd72e032fedd" is down'])
  t.end()
})
