import t from 'tap'
import { Lab } from './lab.ts'
import { FAMILIES, outside } from './outside.ts'

/*
 * ipMasq: whoever is outside sees the node's address, containers see each other's.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }

for (const mode of ['l2', 'l3']) {
  t.test(`${mode}: ipMasq shows the node's address outside, and a container's inside`, async t => {
    const lab = new Lab(t)
    const name = await outside(lab)
    const config = lab.config({ mode, ipMasq: true }, DUAL)
    const [pod, other] = [await lab.attach(config), await lab.attach(config)]
    for (const [i, family] of FAMILIES.entries()) {
      const fromNode = await lab.count(name, 'input', `${family.word} saddr ${family.node}`)
      const fromPod = await lab.count(other.netns, 'input', `${family.word} saddr ${pod.addresses[i]}`)
      t.ok(await lab.pings(pod.netns, family.outside), `${family.outside} answers`)
      t.ok(await lab.pings(pod.netns, other.addresses[i]!), `${other.addresses[i]} answers`)
      t.ok((await fromNode()) > 0, 'the outside sees the node')
      t.ok((await fromPod()) > 0, 'the other container sees the container')
    }
  })
}

t.test('without ipMasq the outside sees the container', async t => {
  const lab = new Lab(t)
  const name = await outside(lab)
  const pod = await lab.attach(lab.config({}, DUAL))
  for (const [i, { word, outside }] of FAMILIES.entries()) {
    const fromPod = await lab.count(name, 'input', `${word} saddr ${pod.addresses[i]}`)
    t.ok(await lab.pings(pod.netns, outside))
    t.ok((await fromPod()) > 0, outside)
  }
})

t.test('DEL ends the masquerade of its own address only', async t => {
  const lab = new Lab(t)
  const config = lab.config({ ipMasq: true }, DUAL)
  const [pod, other] = [await lab.attach(config), await lab.attach(config)]
  t.match(await lab.call('DEL', config, pod), { code: 0, stdout: /^$/ })
  const rules = await lab.inside(lab.host, 'nft', 'list', 'ruleset')
  for (const address of pod.addresses) t.notOk(rules.includes(`${address} comment`), `${address} is gone`)
  for (const address of other.addresses) t.ok(rules.includes(`${address} comment`), `${address} stays`)
})

for (const [mode, what] of [
  ['l2', 'chain inet podwire postrouting'],
  ['l2', 'chain inet podwire leaving-10.1.0.0/24'],
  ['l3', 'chain inet podwire leaving-fd00_1__/64'],
  ['l3', 'table inet podwire'],
]) {
  t.test(`${mode}: the next ADD puts right what \`nft flush ${what}\` took from all containers`, async t => {
    const lab = new Lab(t)
    const name = await outside(lab)
    const config = lab.config({ mode, ipMasq: true }, DUAL)
    const pod = await lab.attach(config)
    const checks = () => lab.call('CHECK', { ...config, prevResult: pod.result }, pod)
    const rules = () => lab.inside(lab.host, 'nft', 'list', 'table', 'inet', 'podwire')
    const before = await rules()
    await lab.inside(lab.host, 'sh', '-c', `nft flush ${what}`)
    t.match(await checks(), { code: 1, json: { code: 114, msg: /has lost rules, which any ADD/ } })
    const other = await lab.attach(config)
    t.match(await checks(), { code: 0, stdout: /^$/ })
    for (const { word, node, outside } of FAMILIES) {
      const fromNode = await lab.count(name, 'input', `${word} saddr ${node}`)
      t.ok(await lab.pings(pod.netns, outside), `${outside} answers`)
      t.ok((await fromNode()) > 0, 'the outside sees the node')
    }
    await lab.call('DEL', config, other)
    t.equal(await rules(), before)
  })
}

t.test('the masquerade touches no table but its own', async t => {
  const lab = new Lab(t)
  const script = 'add table ip nat; add chain ip nat mine; add rule ip nat mine counter comment "mine"'
  await lab.inside(lab.host, 'nft', script)
  const before = await lab.inside(lab.host, 'nft', 'list', 'table', 'ip', 'nat')
  const config = lab.config({ ipMasq: true, macspoofchk: true })
  const pod = await lab.attach(config)
  t.equal(await lab.inside(lab.host, 'nft', 'list', 'tables'), 'table ip nat\ntable inet podwire\n')
  await lab.call('DEL', config, pod)
  t.equal(await lab.inside(lab.host, 'nft', 'list', 'table', 'ip', 'nat'), before)
})
