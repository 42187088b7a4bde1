import { mkdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { IPV4, IPV6 } from '../ipam/core/ip.ts'
import { fakeWorld } from '../test/support/world.ts'
import { addressUsage } from './usage.ts'

t.test('addressUsage() counts the files of the network, whatever they hold', async t => {
  const dataDir = t.testdir({
    podwire: { '10.1.0.2': 'a\r\neth0', '10.1.0.3': '', 'last_reserved_ip.0': '10.1.0.3' },
  })
  const ranges = [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]]
  const config = {
    cniVersion: '1.0.0',
    name: 'podwire',
    type: 'podwire',
    ipam: { type: 'podwire-ipam', dataDir, ranges },
  }
  const { world } = fakeWorld()
  const v6 = { family: IPV6, used: 0, free: 2n ** 64n - 2n }
  t.same(addressUsage(config, world), [{ family: IPV4, used: 2, free: 251n }, v6])
  mkdirSync(`${dataDir}/other`)
  writeFileSync(`${dataDir}/other/10.1.0.9`, 'b\r\neth0')
  t.match(addressUsage(config, world), [{ used: 2 }])
  t.match(addressUsage({ ...config, name: 'fresh' }, world), [{ used: 0, free: 253n }])
})
