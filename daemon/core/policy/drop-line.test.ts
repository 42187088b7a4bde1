import t from 'tap'
import { attachment, cluster, pod, policy } from '../../../test/support/policy-objects.ts'
import { ip } from '../../../test/support/result.ts'
import { compile } from './compile.ts'
import { dropLine } from './drop-line.ts'
import type { DroppedPacket } from './dropped-packet.ts'
import { type PodKey, podKey } from './objects.ts'

const BOTH = { policyTypes: ['Ingress', 'Egress'] }
const [WEB, DATABASE, MUTE] = [
  podKey({ namespace: 'free', name: 'web' }),
  podKey({ namespace: 'shop', name: 'db' }),
  podKey({ namespace: 'shop', name: 'mute' }),
]
const PODS: Readonly<Record<string, PodKey>> = {
  '10.1.0.3': WEB,
  '10.1.0.5': DATABASE,
  '10.1.0.6': MUTE,
  'fd00::3': WEB,
  'fd00::5': DATABASE,
}
const rules = compile(
  cluster({
    pods: [pod('free/web', ['10.1.0.3']), pod('shop/db', ['10.1.0.5']), pod('shop/mute', ['10.1.0.6'])],
    policies: [policy('shop/all', BOTH)],
    attached: [attachment('c1', 'shop/db', ['10.1.0.5']), attachment('c2', 'shop/mute', ['10.1.0.6'])],
  }),
  { node: 'n1', unknownPods: 'closed', log: true },
)
type More = Partial<DroppedPacket>
const PORTS = { sourcePort: 40000, destinationPort: 5432 }
const packet = (source: string, destination: string, more: More = PORTS): DroppedPacket => ({
  direction: 'ingress',
  source: ip(source),
  destination: ip(destination),
  protocol: 6,
  ...more,
})
const line = (...given: Parameters<typeof packet>) =>
  dropLine(packet(...given), { rules, podAt: address => PODS[address] })
const said = (...given: Parameters<typeof packet>) =>
  line(...given).message.replace('Dropped by NetworkPolicy: ', '')

t.test('a line names the isolated pod, its peer, and what was tried', async t => {
  const { fields, message } = line('10.1.0.3', '10.1.0.5')
  t.equal(
    message,
    'Dropped by NetworkPolicy: ingress to shop/db: tcp 10.1.0.3:40000 (free/web) > 10.1.0.5:5432',
  )
  t.same(fields, {
    direction: 'ingress',
    namespace: 'shop',
    pod: 'db',
    peer: 'free/web',
    source: '10.1.0.3',
    sourcePort: 40000,
    destination: '10.1.0.5',
    destinationPort: 5432,
    protocol: 'tcp',
    icmpType: undefined,
  })
  t.equal(
    said('10.1.0.5', '10.1.0.3', { ...PORTS, direction: 'egress', protocol: 17 }),
    'egress from shop/db: udp 10.1.0.5:40000 > 10.1.0.3:5432 (free/web)',
  )
  t.equal(
    said('fd00::3', 'fd00::5', { ...PORTS, protocol: 132 }),
    'ingress to shop/db: sctp [fd00::3]:40000 (free/web) > [fd00::5]:5432',
  )
})

t.test('a line says what there is in place of ports', async t => {
  t.equal(
    said('fd00::3', 'fd00::5', { protocol: 58, icmpType: 128 }),
    'ingress to shop/db: icmpv6 type 128 fd00::3 (free/web) > fd00::5',
  )
  t.equal(
    said('10.1.0.3', '10.1.0.5', { protocol: 1 }),
    'ingress to shop/db: icmp 10.1.0.3 (free/web) > 10.1.0.5',
  )
  t.equal(
    said('10.1.0.3', '10.1.0.5', { protocol: 47 }),
    'ingress to shop/db: protocol 47 10.1.0.3 (free/web) > 10.1.0.5',
  )
})

t.test('a line has addresses where no pod is known', async t => {
  t.equal(said('192.0.2.1', '10.1.0.5'), 'ingress to shop/db: tcp 192.0.2.1:40000 > 10.1.0.5:5432')
  const { fields, message } = line('10.1.0.3', '10.1.0.9')
  t.match(message, /: ingress to 10\.1\.0\.9: /)
  t.match(fields, { namespace: undefined, pod: undefined, peer: 'free/web' })
})

t.test('of a packet of no known connection the isolated pod may be at either end', async t => {
  const midstream = { ...PORTS, isMidstream: true }
  t.equal(
    said('10.1.0.5', '10.1.0.3', midstream),
    'of no known connection of shop/db: tcp 10.1.0.5:40000 > 10.1.0.3:5432 (free/web)',
  )
  t.equal(
    said('10.1.0.3', '10.1.0.5', midstream),
    'of no known connection of shop/db: tcp 10.1.0.3:40000 (free/web) > 10.1.0.5:5432',
  )
  t.match(
    said('10.1.0.6', '10.1.0.5', midstream),
    /^of no known connection of shop\/mute: /,
    'the source first',
  )
  t.match(said('fd00::3', 'fd00::5', midstream), /^ingress to shop\/db: /, 'isolated by its chain alone')
})
