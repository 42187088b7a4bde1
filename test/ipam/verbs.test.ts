import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { JsonObject } from '../../cni/spec/read.ts'
import { reserve } from '../../ipam/add.ts'
import { formatCidr, formatIp } from '../../ipam/core/ip.ts'
import { ipam } from '../../ipam/plugin.ts'
import { attachmentOf, callOf, Folder, type Sketch } from './calls.ts'

const SUBNET = { subnet: '10.0.0.0/29' }

/** The calls on one folder, with the addresses as texts. */
function on(folder: Folder, config: JsonObject) {
  const sketch = (id: string, more: Partial<Sketch> = {}): Sketch => ({
    ipam: { dataDir: folder.dataDir, ...config },
    id,
    ...more,
  })
  return {
    call: (id: string, more?: Partial<Sketch>) => callOf(sketch(id, more)),
    add: (id: string, more?: Partial<Sketch>) =>
      reserve(callOf(sketch(id, more))).result.ips.map(ip => formatCidr(ip.address)),
    del: (id: string, more?: Partial<Sketch>) => ipam.del(callOf(sketch(id, more))),
    check: (id: string) => ipam.check(callOf(sketch(id))),
    status: () => ipam.status(callOf(sketch('none'))),
    gc: (...valid: string[]) =>
      ipam.gc({ ...callOf(sketch('none')), valid: valid.map(id => attachmentOf(id)) }),
  }
}

t.test('ADD answers with an address of each set, gateways, routes and dns', async t => {
  using folder = new Folder()
  const resolvConf = join(folder.dataDir, 'resolv.conf')
  writeFileSync(resolvConf, 'nameserver 10.9.9.9\nsearch pods.example\n')
  const config = {
    ranges: [[SUBNET], [{ subnet: 'fd00::/64', gateway: 'fd00::99' }]],
    routes: [{ dst: '0.0.0.0/0' }],
    resolvConf,
  }
  const result = await ipam.add(on(folder, config).call('a'))
  t.same(
    result.ips.map(ip => [formatCidr(ip.address), formatIp(ip.gateway!)]),
    [
      ['10.0.0.2/29', '10.0.0.1'],
      ['fd00::1/64', 'fd00::99'],
    ],
  )
  t.same(
    result.routes.map(({ dst }) => formatCidr(dst)),
    ['0.0.0.0/0'],
  )
  t.same([result.dns, result.interfaces], [{ nameservers: ['10.9.9.9'], search: ['pods.example'] }, []])
  t.same(folder.addresses(), { '10.0.0.2': 'a\r\neth0', 'fd00::1': 'a\r\neth0' })
  t.equal(readFileSync(join(folder.network, 'last_reserved_ip.1'), 'utf8'), 'fd00::1')
})

t.test('ADD lets an address rest until all others were used', async t => {
  using folder = new Folder()
  const { add, del } = on(folder, SUBNET)
  for (const ip of ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.2']) {
    t.same(add('a'), [`${ip}/29`])
    await del('a')
  }
})

t.test('ADD gives nothing out of "exclude", and each interface of a container its own', async t => {
  using folder = new Folder()
  const { add } = on(folder, { ...SUBNET, exclude: ['10.0.0.2/31', '10.0.0.5/32'] })
  t.same(add('a'), ['10.0.0.4/29'])
  t.same(add('a', { ifname: 'eth1' }), ['10.0.0.6/29'])
  t.throws(() => add('b'), {
    kind: 'pool-exhausted',
    message: /no IP addresses available in range set: 10\.0\.0\.1-10\.0\.0\.6/,
  })
})

t.test('ADD takes the addresses that are asked for', async t => {
  using folder = new Folder()
  const { add } = on(folder, { ranges: [[SUBNET], [{ subnet: 'fd00::/64' }]] })
  t.same(add('a', { args: 'IP=10.0.0.5' }), ['10.0.0.5/29', 'fd00::2/64'])
  t.same(add('b', { args: 'IP=10.0.0.4/24,fd00::7' }), ['10.0.0.4/29', 'fd00::7/64'])
  t.same(add('c', { keys: { args: { cni: { ips: ['fd00::9'] } }, runtimeConfig: { ips: ['10.0.0.3'] } } }), [
    '10.0.0.3/29',
    'fd00::9/64',
  ])
  t.throws(() => add('d', { args: 'IP=10.0.0.5' }), {
    kind: 'address-taken',
    message: /10\.0\.0\.5 is not available/,
  })
  t.throws(() => add('d', { args: 'IP=10.9.0.5' }), {
    kind: 'invalid-config',
    message: /failed to allocate all requested IPs/,
  })
  t.notOk(Object.values(folder.addresses()).some(owner => owner.startsWith('d')))
})

t.test('ADD refuses arguments that it does not know, unless told to ignore them', async t => {
  using folder = new Folder()
  const { add } = on(folder, SUBNET)
  t.throws(() => add('a', { args: 'K8S_POD_NAME=p' }), {
    kind: 'invalid-environment',
    message: /K8S_POD_NAME/,
  })
  t.same(add('a', { args: 'IgnoreUnknown=1;K8S_POD_NAME=p;MAC=02:00:00:00:00:01' }), ['10.0.0.2/29'])
})

t.test('an ADD that fails half-way gives back what it had', async t => {
  using folder = new Folder()
  const { add } = on(folder, { ranges: [[SUBNET], [{ subnet: 'fd00::/126' }]] })
  t.same(add('a'), ['10.0.0.2/29', 'fd00::2/126'])
  t.same(add('b'), ['10.0.0.3/29', 'fd00::3/126'])
  const [before, index] = [folder.addresses(), folder.index()]
  t.throws(() => add('c'), { kind: 'pool-exhausted', message: /fd00::1-fd00::3/ })
  t.same([folder.addresses(), folder.index()], [before, index])
})

t.test('release() frees what its own ADD reserved and nothing of a later one', async t => {
  using folder = new Folder()
  const { call, del } = on(folder, { subnet: '10.0.0.0/30' })
  const first = reserve(call('a'))
  await del('a')
  const second = reserve(call('a'))
  t.same(second.result.ips[0]!.address, first.result.ips[0]!.address)
  first.release()
  t.same(folder.addresses(), { '10.0.0.2': 'a\r\neth0' })
  t.equal(folder.index().length, 1)
  second.release()
  second.release()
  t.same([folder.addresses(), folder.index()], [{}, []])
})

t.test('ADD says which file it cannot read for dns, and holds nothing then', async t => {
  using folder = new Folder()
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder.dataDir, name), content)
    return join(folder.dataDir, name)
  }
  const cases: [string, RegExp][] = [
    [join(folder.dataDir, 'missing'), /missing: ENOENT.*correct "ipam\.resolvConf"/],
    [folder.dataDir, /not a plain file/],
    [file('large', 'x'.repeat(70_000)), /larger than/],
    [file('binary', Uint8Array.of(0, 255, 254)), /not text/],
  ]
  for (const [resolvConf, message] of cases) {
    t.throws(() => on(folder, { ...SUBNET, resolvConf }).add('a'), { kind: 'io', message })
  }
  t.same(folder.addresses(), {})
})

t.test('DEL succeeds whatever is left, and as often as it is sent', async t => {
  using folder = new Folder()
  const { add, del } = on(folder, SUBNET)
  await del('a')
  t.same(folder.addresses(), {}, 'without a folder')
  add('a')
  add('b')
  for (let i = 0; i < 3; i += 1) await del('a')
  t.same(folder.addresses(), { '10.0.0.3': 'b\r\neth0' })
  await del('b', { ipam: { dataDir: folder.dataDir, ranges: 'damaged' } })
  t.same([folder.addresses(), folder.index()], [{}, []], 'with a damaged config')
})

t.test('DEL frees an address that the index has lost', async t => {
  using folder = new Folder()
  const { add, del } = on(folder, SUBNET)
  const index = join(folder.dataDir, '.podwire', 'pods')
  for (const id of ['a', 'b']) add(id)
  rmSync(index, { recursive: true })
  await del('a')
  t.same(folder.addresses(), { '10.0.0.3': 'b\r\neth0' })
  writeFileSync(index, 'in the place of a folder')
  const message = /\.podwire\/pods: something that is not a folder is there; remove it/
  t.throws(() => add('c'), { kind: 'store', message })
  const stderr: string[] = []
  await del('b', { stderr })
  t.same(folder.addresses(), {})
  t.match(stderr.join(), /a part of the path is not a folder/)
})

t.test('DEL and STATUS where the store is a file', async t => {
  using folder = new Folder()
  const { add, del, status, gc } = on(folder, SUBNET)
  writeFileSync(folder.network, '')
  const stderr: string[] = []
  await del('a', { stderr })
  t.match(stderr.join(), /podwire-ipam: Cannot list .*not a folder/)
  await t.rejects(status(), { kind: 'not-available', message: /Cannot write to .*not a folder/ })
  await t.rejects(gc(), { kind: 'store', message: /Cannot list/ })
  t.throws(() => add('a'), { kind: 'store', message: /Cannot make .*pods/ })
})

t.test('damaged files stay, keep their address taken, and are reported', async t => {
  using folder = new Folder()
  const { add, del, gc } = on(folder, SUBNET)
  mkdirSync(join(folder.network, '10.0.0.2'), { recursive: true })
  symlinkSync('/nowhere', join(folder.network, '10.0.0.3'))
  writeFileSync(join(folder.network, '10.0.0.4'), Uint8Array.of(0, 1, 2, 255))
  writeFileSync(join(folder.network, '10.0.0.5'), 'x'.repeat(300_000))
  writeFileSync(join(folder.network, 'notes.txt'), 'a\r\neth0')
  const before = folder.addresses()
  const stderr: string[] = []
  t.same(add('a', { stderr }), ['10.0.0.6/29'])
  t.match(stderr, [
    /passed over 4 damaged files in .*: 10\.0\.0\.2, 10\.0\.0\.3, 10\.0\.0\.4, 10\.0\.0\.5; remove/,
  ])
  await del('a')
  await del('a')
  await gc()
  t.same(folder.addresses(), before)
})

t.test('a damaged cursor only costs the turn', async t => {
  using folder = new Folder()
  const { add } = on(folder, SUBNET)
  mkdirSync(folder.network)
  for (const content of ['', 'fd00::1', '10.9.9.9', '\0\0', 'x'.repeat(300_000)]) {
    writeFileSync(join(folder.network, 'last_reserved_ip.0'), content)
    t.match(add(`c${content.length}`), [/^10\.0\.0\.\d\/29$/])
  }
})

t.test('an empty file keeps its address taken until GC', async t => {
  using folder = new Folder()
  const { add, gc } = on(folder, SUBNET)
  mkdirSync(folder.network)
  writeFileSync(join(folder.network, '10.0.0.2'), '')
  t.same(add('a'), ['10.0.0.3/29'])
  await gc('a')
  t.same(folder.addresses(), { '10.0.0.3': 'a\r\neth0' })
})

t.test('GC frees what no valid attachment holds, in this network only', async t => {
  using folder = new Folder()
  const { add, gc, call, check } = on(folder, { subnet: '10.0.0.0/28' })
  for (const id of ['a', 'b', 'c']) add(id)
  add('a', { ifname: 'eth1' })
  const others = { name: 'others' }
  add('z', { keys: others })
  await ipam.gc({ ...call('a'), valid: undefined })
  t.equal(Object.keys(folder.addresses()).length, 4, 'nothing without a list')
  await gc('a', 'c')
  t.same(Object.values(folder.addresses()), ['a\r\neth0', 'c\r\neth0'])
  t.equal(folder.index().length, 2)
  await check('a')
  await gc()
  t.same([folder.addresses(), folder.index()], [{}, []])
  await ipam.check(call('z', { keys: others }))
})

t.test('CHECK names the attachment that holds no address, or none of a set', async t => {
  using folder = new Folder()
  const { add, check } = on(folder, SUBNET)
  add('a')
  await check('a')
  await t.rejects(check('b'), {
    kind: 'check-failed',
    message: /b\/eth0: it holds no address in network "pods"/,
  })
  const dual = on(folder, { ranges: [[SUBNET], [{ subnet: 'fd00::/64' }]] })
  await t.rejects(dual.check('a'), { kind: 'check-failed', message: /holds no address of fd00::1-/ })
})

t.test('STATUS says why no address could be reserved, and leaves nothing', async t => {
  using folder = new Folder()
  const { status, add, del } = on(folder, { subnet: '10.0.0.0/29', exclude: ['10.0.0.4/30'] })
  await status()
  t.same(folder.index(), [])
  await t.rejects(on(folder, {}).status(), {
    kind: 'not-available',
    message: /it has no range; set "ipam\.ranges"/,
  })
  add('a')
  add('b')
  await t.rejects(status(), {
    kind: 'not-available',
    message: /no IP addresses available in range set: 10\.0\.0\.1-10\.0\.0\.6/,
  })
  await del('a')
  await status()
  t.throws(() => on(folder, {}).add('c'), { kind: 'invalid-config', message: /it has no range/ })
})
