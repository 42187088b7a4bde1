import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { reserve } from '../../ipam/add.ts'
import { heldBy } from '../../ipam/check.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { ipam } from '../../ipam/plugin.ts'
import { callOf, Folder, NETWORK } from './calls.ts'
import { finish, grants, run } from './spawn.ts'

const HOST_LOCAL = '/usr/lib/cni/host-local'
const skip = existsSync(HOST_LOCAL)
  ? false
  : `${HOST_LOCAL} is missing: apt-get install containernetworking-plugins`

/** Runs the reference host-local; gives its addresses, or throws what it said. */
async function hostLocal(command: string, keys: object, id: string, args = ''): Promise<string[]> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: id,
    CNI_IFNAME: 'eth0',
    CNI_NETNS: '/none',
    CNI_PATH: '/',
    CNI_ARGS: args,
  }
  const config = { cniVersion: '1.0.0', name: NETWORK, ipam: { type: 'host-local', ...keys } }
  const { lines, status } = await run([HOST_LOCAL], env, JSON.stringify(config)).outcome
  if (status !== 0) throw new Error(lines.join(''))
  const { ips = [] } = JSON.parse(lines.join('') || '{}') as { ips?: { address: string }[] }
  return ips.map(({ address }) => address.split('/')[0]!)
}

const ours = (keys: object, id: string): string[] =>
  reserve(callOf({ ipam: { ...keys }, id })).result.ips.map(({ address }) => formatIp(address.ip))

t.test('host-local', { skip }, async t => {
  t.test('frees what we reserved, and we free what it reserved', async t => {
    using folder = new Folder()
    const keys = { dataDir: folder.dataDir, ranges: [[{ subnet: '10.0.0.0/24' }], [{ subnet: 'fd00::/64' }]] }
    t.same(ours(keys, 'a'), ['10.0.0.2', 'fd00::2'])
    t.same(await hostLocal('ADD', keys, 'b'), ['10.0.0.3', 'fd00::3'], 'it goes on where we stopped')
    t.same(ours(keys, 'c'), ['10.0.0.4', 'fd00::4'], 'and we where it stopped')
    await hostLocal('DEL', keys, 'a')
    await hostLocal('DEL', keys, 'c')
    await ipam.del(callOf({ ipam: keys, id: 'b' }))
    t.same(folder.addresses(), {})
    for (const id of ['a', 'c']) await ipam.del(callOf({ ipam: keys, id }))
    t.same(folder.index(), [])
  })

  t.test('finds our reservation in a CHECK, and we find its', async t => {
    using folder = new Folder()
    const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/24' }
    ours(keys, 'a')
    await hostLocal('ADD', keys, 'b')
    await hostLocal('CHECK', keys, 'a')
    await ipam.check(callOf({ ipam: keys, id: 'b' }))
    t.same(heldBy(callOf({ ipam: keys, id: 'b' })).map(formatIp), ['10.0.0.3'])
    await t.rejects(ipam.check(callOf({ ipam: keys, id: 'c' })), {
      kind: 'check-failed',
      message: /c\/eth0: it holds no address/,
    })
  })

  t.test('refuses a second ADD of ours, and we of its, however many ADDs lie between', async t => {
    using folder = new Folder()
    const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/24' }
    ours(keys, 'a')
    await hostLocal('ADD', keys, 'b')
    for (const id of ['x', 'y', 'z']) ours(keys, id)
    await t.rejects(hostLocal('ADD', keys, 'a'), /duplicate allocation is not allowed/)
    t.throws(() => ours(keys, 'b'), {
      kind: 'attachment-exists',
      message: /10\.0\.0\.3 .*duplicate allocation is not allowed/,
    })
  })

  t.test('sees an address come back in other hands as we do', async t => {
    using folder = new Folder()
    const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/30' }
    t.same(ours(keys, 'a'), ['10.0.0.2'])
    await hostLocal('DEL', keys, 'a')
    t.same(await hostLocal('ADD', keys, 'b'), ['10.0.0.2'])
    await ipam.del(callOf({ ipam: keys, id: 'a' }))
    t.same(folder.addresses(), { '10.0.0.2': 'b\r\neth0' }, 'a late DEL of the first owner does not free it')
    await hostLocal('DEL', keys, 'b')
    t.same(await hostLocal('ADD', keys, 'a'), ['10.0.0.2'])
    await ipam.del(callOf({ ipam: keys, id: 'a' }))
    t.same(folder.addresses(), {})
  })

  t.test('names its files as we do', async t => {
    using folder = new Folder()
    const cases = [
      ['10.1.0.0/16', '10.1.2.3'],
      ['fd00::/64', 'FD00:0:0:0:0:0:0:00A'],
      ['fd00:0:1::/64', 'fd00:0:1:0:1:0:0:1'],
      ['2001:0:2::/48', '2001:0:2:0:3:0:4:0'],
      ['2001:db8:64::/96', '2001:db8:64::10.0.0.9'],
      ['2001:db8:0:1::/64', '2001:db8:0:1:1:1:1:0'],
    ] as const
    for (const [subnet, requested] of cases) {
      const keys = { dataDir: folder.dataDir, subnet }
      await hostLocal('ADD', keys, 'a', `IP=${requested}`)
      const [its] = Object.keys(folder.addresses())
      rmSync(join(folder.network, its!))
      reserve(callOf({ ipam: keys, id: 'a', args: `IP=${requested}` }))
      t.same(Object.keys(folder.addresses()), [its], requested)
      await ipam.del(callOf({ ipam: keys, id: 'a' }))
    }
  })

  t.test('allocates from one folder together with us, and no address is given out twice', async t => {
    using folder = new Folder()
    const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/23' }
    const outcomes = [0, 1].map(p =>
      finish({ ipam: keys, ids: Array.from({ length: 150 }, (_, i) => `ours-${p}-${i}`), verbs: ['ADD'] }),
    )
    const its: [string, string][] = []
    const workers = [0, 1].map(async p => {
      for (let i = 0; i < 40; i += 1)
        its.push([`its-${p}-${i}`, (await hostLocal('ADD', keys, `its-${p}-${i}`))[0]!])
    })
    await Promise.all(workers)
    const granted = [...grants(await Promise.all(outcomes)), ...its]
    t.equal(granted.length, 380)
    t.equal(new Set(granted.map(([, ip]) => ip)).size, 380)
    t.same(folder.addresses(), Object.fromEntries(granted.map(([id, ip]) => [ip, `${id}\r\neth0`])))
    const freeing = granted.map(([id], i) => [id, i % 2] as const)
    for (const [id, turn] of freeing) {
      if (turn === 0 && its.some(([other]) => other === id)) await ipam.del(callOf({ ipam: keys, id }))
      else if (turn === 0 && Math.random() < 0.2) await hostLocal('DEL', keys, id)
      else await ipam.del(callOf({ ipam: keys, id }))
    }
    t.same(folder.addresses(), {})
  })
})

t.test('DEL and CHECK know files of host-local before 0.8, which name the container only', async t => {
  using folder = new Folder()
  const keys = { dataDir: folder.dataDir, subnet: '10.0.0.0/24' }
  mkdirSync(folder.network)
  writeFileSync(join(folder.network, '10.0.0.9'), 'old')
  writeFileSync(join(folder.network, '10.0.0.10'), 'kept\n')
  await ipam.check(callOf({ ipam: keys, id: 'old' }))
  ours(keys, 'new')
  t.throws(() => ours(keys, 'old'), { kind: 'attachment-exists', message: /send a DEL first/ })
  await ipam.del(callOf({ ipam: keys, id: 'old', ifname: 'eth5' }))
  await ipam.del(callOf({ ipam: keys, id: 'new' }))
  t.same(folder.addresses(), { '10.0.0.10': 'kept\n' })
  await ipam.gc({ ...callOf({ ipam: keys }), valid: [callOf({ ipam: keys, id: 'kept' }).attachment] })
  t.same(folder.addresses(), { '10.0.0.10': 'kept\n' })
  await ipam.gc(callOf({ ipam: keys }))
  t.same([folder.addresses(), folder.index()], [{}, []])
})
