import t, { type Test } from 'tap'
import { type Attach, Lab } from '../netns/lab.ts'
import { Chain, type Outcome } from './chain.ts'
import { lacks } from './requirements.ts'
import { until } from './until.ts'

/*
 * Ours and the reference's in each other's place: the address plugin under the other's bridge plugin, either one on
 * the same folder of addresses, and the whole plugin changed under a container that lives.
 */

const skip = lacks({ '/usr/lib/cni/host-local': 'containernetworking-plugins', nft: 'nftables' })

const PAIRS = [
  ['podwire', 'host-local'],
  ['bridge', 'podwire-ipam'],
] as const

const DUAL = [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]]

for (const [type, ipam] of PAIRS) {
  for (const version of ['0.3.1', '0.4.0', '1.0.0']) {
    t.test(`${type} with ${ipam} wires two pods (${version})`, { skip }, async t => {
      const lab = new Lab(t)
      const chain = network(lab, type, ipam, { version })
      const pods = [pod(lab, 'a'), pod(lab, 'b')]
      const results = [await added(t, chain, pods[0]!), await added(t, chain, pods[1]!)]
      t.same(results.map(addressesOf), [
        ['10.1.0.2/24', 'fd00:1::2/64'],
        ['10.1.0.3/24', 'fd00:1::3/64'],
      ])
      // Not the IPv6 gateway: the reference leaves it on a bridge that is still looking for duplicates.
      for (const address of ['10.1.0.1', '10.1.0.2', 'fd00:1::2']) {
        t.ok(await lab.pings(pods[1]!.netns, address), `${address} answers`)
      }
      for (const [i, attach] of pods.entries()) {
        if (version !== '0.3.1') succeeded(t, await chain.check(attach, results[i]))
        succeeded(t, await chain.del(attach, results[i]))
        succeeded(t, await chain.del(attach, results[i]))
      }
      await nothingIsLeft(t, lab)
    })
  }
}

for (const [before, after] of [
  ['host-local', 'podwire-ipam'],
  ['podwire-ipam', 'host-local'],
] as const) {
  t.test(`${after} takes over the addresses of ${before}`, { skip }, async t => {
    const lab = new Lab(t)
    const [old, young] = [network(lab, 'podwire', before), network(lab, 'podwire', after)]
    const [first, second] = [pod(lab, 'a'), pod(lab, 'b')]
    const result = await added(t, old, first)
    succeeded(t, await young.check(first, result))
    t.same(addressesOf(await added(t, young, second)), ['10.1.0.3/24', 'fd00:1::3/64'], 'it counts on')
    succeeded(t, await young.del(first, result))
    t.same(await reserved(lab), ['10.1.0.3', 'fd00:1::3'], 'what the other gave is given back')
    succeeded(t, await old.del(second))
    await nothingIsLeft(t, lab)
  })
}

t.test('a DEL that comes late frees no address that host-local has given away since', { skip }, async t => {
  const lab = new Lab(t)
  const ranges = [[{ subnet: '10.1.0.0/29', rangeStart: '10.1.0.2', rangeEnd: '10.1.0.2' }]]
  const [old, young] = ['podwire-ipam', 'host-local'].map(ipam => network(lab, 'podwire', ipam, { ranges }))
  const [first, second] = [pod(lab, 'a'), pod(lab, 'b')]
  const result = await added(t, old!, first)
  succeeded(t, await young!.del(first, result))
  await added(t, young!, second)
  succeeded(t, await old!.del(first, result))
  t.same(await reserved(lab), ['10.1.0.2'])
  succeeded(t, await old!.del(second))
  t.same(await reserved(lab), [])
})

t.test('both address plugins work on one folder at the same time', { skip }, async t => {
  const lab = new Lab(t)
  const chains = ['host-local', 'podwire-ipam'].map(ipam => network(lab, 'podwire', ipam))
  const pods = Array.from({ length: 12 }, (_, i) => pod(lab, `c${i}`))
  const results = await Promise.all(pods.map((attach, i) => added(t, chains[i % 2]!, attach)))
  t.equal(new Set(results.flatMap(addressesOf)).size, 24, 'no address is given twice')
  t.equal((await reserved(lab)).length, 24)
  const gone = await Promise.all(pods.map((attach, i) => chains[(i + 1) % 2]!.del(attach, results[i])))
  for (const outcome of gone) succeeded(t, outcome)
  await nothingIsLeft(t, lab)
})

t.test('podwire hands on what host-local refuses, and leaves nothing', { skip }, async t => {
  const lab = new Lab(t)
  const chain = network(lab, 'podwire', 'host-local', { ranges: [[{ subnet: '10.1.0.0/30' }]] })
  await added(t, chain, pod(lab, 'a'))
  const before = await lab.traces()
  const refused = await chain.add(pod(lab, 'b'))
  t.equal(refused.code, 1)
  t.match(refused.json.msg, 'no IP addresses available in range set')
  t.same(await lab.traces(), before, 'the first attachment is all there is')
})

t.test(
  'podwire joins the bridge that the reference made, and ends what the reference began',
  { skip },
  async t => {
    const lab = new Lab(t)
    const reference = network(lab, 'bridge', 'host-local')
    const own = network(lab, 'podwire', 'podwire-ipam')
    const [old, young] = [pod(lab, 'a'), pod(lab, 'b')]
    const result = await added(t, reference, old)
    await added(t, own, young)
    t.ok(await lab.pings(young.netns, '10.1.0.2'), 'the containers of both reach each other')
    succeeded(t, await own.del(old, result))
    t.same(await reserved(lab), ['10.1.0.3', 'fd00:1::3'], 'the address of the reference is given back')
    succeeded(t, await own.del(young))
    lab.remove(old.netns)
    await until('the end of the link of the reference', async () => (await lab.traces()).links.length === 1)
    await nothingIsLeft(t, lab)
  },
)

function pod(lab: Lab, id: string): { id: string; netns: string } {
  return { id, netns: lab.namespace() }
}

interface Variation {
  readonly version?: string
  readonly ranges?: unknown
}

function network(lab: Lab, type: string, ipam: string, { version = '1.0.0', ranges = DUAL }: Variation = {}) {
  const plugin = lab.config({ bridge: 'cni0' }, { type: ipam, ranges })
  return new Chain(lab, { cniVersion: version, name: 'pods', plugins: [{ ...plugin, type }] })
}

// oxlint-disable-next-line typescript/no-explicit-any -- a result of any version
async function added(t: Test, chain: Chain, attach: Attach): Promise<any> {
  const outcome = await chain.add(attach)
  t.equal(outcome.code, 0, `ADD ${outcome.stdout}`)
  return outcome.json
}

function succeeded(t: Test, { code, stdout }: Outcome): void {
  t.same({ code, stdout }, { code: 0, stdout: '' })
}

function addressesOf(result: { ips: { address: string }[] }): string[] {
  return result.ips.map(ip => ip.address)
}

/** Addresses by their files; what `podwire-ipam` keeps in `.podwire` to find them is only a hint. */
async function reserved(lab: Lab): Promise<string[]> {
  const { reservations } = await lab.traces()
  const files = reservations.filter(path => !path.includes('/.podwire/'))
  return files.map(path => path.slice(path.lastIndexOf('/') + 1)).sort()
}

async function nothingIsLeft(t: Test, lab: Lab): Promise<void> {
  const { links, rules } = await lab.traces()
  t.same({ links, rules }, { links: ['cni0'], rules: [] }, 'only the bridge is left')
  t.same(await reserved(lab), [], 'no address is left')
}
