import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Config, Lab } from './lab.ts'

/*
 * STATUS is silent when an ADD would succeed, else says why it would not. It changes nothing.
 */

async function silent(t: Test, lab: Lab, config: Config): Promise<void> {
  const before = await lab.state()
  t.match(await lab.call('STATUS', config), { code: 0, stdout: /^$/, stderr: /^$/ })
  t.same(await lab.state(), before, 'nothing is changed')
}

async function refuses(t: Test, lab: Lab, config: Config, msg: RegExp): Promise<void> {
  const before = await lab.state()
  t.match(await lab.call('STATUS', config), { code: 1, json: { cniVersion: '1.1.0', code: 50, msg } })
  t.same(await lab.state(), before, 'nothing is changed')
}

const KEYS = { ipMasq: true, macspoofchk: true }

t.test('STATUS is silent on a node where nothing was done yet', async t => {
  const lab = new Lab(t)
  await silent(t, lab, lab.config())
  await silent(t, lab, lab.config(KEYS))
  await silent(t, lab, lab.config({}, null))
})

t.test('STATUS is silent on a node with containers', async t => {
  const lab = new Lab(t)
  await lab.attach(lab.config(KEYS))
  await silent(t, lab, lab.config(KEYS))
})

t.test('STATUS says that there is no range', async t => {
  const lab = new Lab(t)
  await refuses(t, lab, lab.config({}, { ranges: [] }), /no range.*ipam\.ranges/)
})

t.test('STATUS says that the addresses are used up, until one is free again', async t => {
  const lab = new Lab(t)
  const config = lab.config({}, { ranges: [[{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.3' }]] })
  const [pod] = [await lab.attach(config), await lab.attach(config)]
  await refuses(t, lab, config, /no IP addresses available.*10\.1\.0\.1-10\.1\.0\.3/)
  await lab.call('DEL', config, pod)
  await silent(t, lab, config)
})

t.test('STATUS says that the folder of addresses is a file', async t => {
  const lab = new Lab(t)
  const dataDir = `${lab.folder}/file`
  writeFileSync(dataDir, '')
  await refuses(t, lab, lab.config({}, { dataDir }), /file/)
})

t.test('STATUS says that the folder of addresses cannot be written', async t => {
  const lab = new Lab(t)
  const dataDir = `${lab.folder}/readonly`
  mkdirSync(dataDir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', dataDir])
  t.teardown(() => execFileSync('umount', [dataDir]))
  await refuses(t, lab, lab.config({}, { dataDir }), /readonly.*(EROFS|read-only)/i)
})

t.test('STATUS says that the bridge’s name is taken', async t => {
  const lab = new Lab(t)
  await lab.inside(lab.host, 'ip', 'link', 'add', 'cbr0', 'type', 'veth', 'peer', 'name', 'cbr1')
  await refuses(t, lab, lab.config(), /"cbr0".*a veth/)
})

t.test('STATUS says that rules of somebody else are in the way', async t => {
  const lab = new Lab(t)
  const script = 'add table inet podwire; add set inet podwire masquerade4 { type ipv4_addr; }'
  await lab.inside(lab.host, 'nft', script)
  await refuses(t, lab, lab.config(KEYS), /nftables/)
})

t.test('STATUS says that the address plugin is missing', async t => {
  const lab = new Lab(t)
  const answer = await lab.call('STATUS', lab.config({}, { type: 'nobody' }))
  t.match(answer, { code: 1, json: { msg: /"nobody"/ } })
})

t.test('STATUS agrees with ADD on VLANs', async t => {
  const lab = new Lab(t)
  const config = lab.config({ vlan: 100 })
  const added = await lab.call('ADD', config, { id: 'c1', netns: lab.namespace() })
  if (added.code === 0) await silent(t, lab, config)
  else await refuses(t, lab, config, /CONFIG_BRIDGE_VLAN_FILTERING/)
})

t.test('STATUS of a config older than it is refused', async t => {
  const lab = new Lab(t)
  const answer = await lab.call('STATUS', lab.config({ cniVersion: '1.0.0' }))
  t.match(answer, { code: 1, json: { code: 1, cniVersion: '1.0.0' } })
})
