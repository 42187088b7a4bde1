import t from 'tap'
import { encodeFrame, type Said } from '../../test/support/frame.ts'
import { parseFrame } from './frame.ts'
import { isVisible } from './visible.ts'

const OWN = 7n

/** Whether a call from another mount namespace is one for the daemon. */
const isSeen = (config: unknown, said: Said = {}): boolean =>
  isVisible(parseFrame(encodeFrame({ mounts: 8n, stdin: JSON.stringify(config), ...said }))!, OWN)

t.test('isVisible() takes whatever comes from the same mount namespace', async t => {
  t.ok(isSeen({ trace: '/tmp/trace', ipam: { type: 'dhcp' } }, { mounts: OWN }))
})

t.test('isVisible() takes from a node what needs only the folder that both share', async t => {
  for (const config of [
    {},
    { ipam: { type: 'podwire-ipam' } },
    { ipam: { type: 'podwire-ipam', dataDir: '/run/podwire/ipam' } },
    { ipam: { type: '', dataDir: '' } },
    { ipam: null },
  ])
    t.ok(isSeen(config), JSON.stringify(config))
})

t.test('isVisible() leaves to the launcher what needs files or programs of the node', async t => {
  for (const config of [
    { trace: '/var/log/trace' },
    { ipam: { type: 'host-local' } },
    { ipam: { type: 'podwire-ipam', dataDir: '/var/lib/cni/networks' } },
    { ipam: { type: 'podwire-ipam', dataDir: '/run/podwire/../other' } },
    { ipam: { type: 'podwire-ipam', resolvConf: '/etc/resolv.conf' } },
  ])
    t.notOk(isSeen(config), JSON.stringify(config))
  t.notOk(isSeen({}, { env: { PODWIRE_TRACE: '/tmp/trace' } }))
})

t.test('isVisible() takes calls of podwire-ipam, whose config may name the plugin that calls it', async t => {
  const ipam = { type: 'host-local', dataDir: '/run/podwire/ipam' }
  t.ok(isSeen({ ipam }, { program: 'podwire-ipam' }))
})

t.test('isVisible() takes what will be refused wherever it goes', async t => {
  for (const stdin of ['', '{', '[]', 'null', '{"ipam": {"dataDir": 7}}']) t.ok(isSeen({}, { stdin }), stdin)
})
