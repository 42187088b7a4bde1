import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import {
  elementsScript,
  masqueradeScript,
  type MasqueradeWish,
  setsOf,
} from '../../daemon/core/masquerade.ts'
import { Lab } from '../netns/lab.ts'
import { matchesGolden, readGolden, recordGolden } from '../support/golden.ts'
import { GOLDEN_WISH, masqueradeWish } from '../support/masquerade.ts'
import { Daemon, FAMILIES, OWN, stage, WISH } from './masquerade-stage.ts'

/*
 * The daemon's masquerade, with packets: who sees which address of whom.
 */

const PROTOCOLS = ['tcp', 'udp'] as const
const ruleset = (lab: Lab) => lab.inside(lab.host, 'nft', 'list', 'ruleset')
/** The wish with other pods and nodes. */
const wishing = (more: Partial<MasqueradeWish>): MasqueradeWish => ({ ...WISH, ...more })
const change = (before: MasqueradeWish, after: MasqueradeWish): string =>
  elementsScript(setsOf(before), setsOf(after))

/** A node with nothing but the daemon's rules, and things of others, in its table. */
function table(t: ConstructorParameters<typeof Lab>[0]) {
  const lab = new Lab(t)
  const nft = (...args: string[]) => lab.inside(lab.host, 'nft', ...args)
  return { nft, list: () => nft('list', 'table', 'inet', 'podwire'), daemon: new Daemon(lab) }
}

t.test("Only what a pod sends out of the cluster has the node's address", async t => {
  const { daemon, pod, talkers } = await stage(t)
  await daemon.reconcile(WISH)
  for (const [i, { nodeOutside, outside, otherPod, otherNode, given }] of FAMILIES.entries()) {
    const own = pod.addresses[i]!
    for (const protocol of PROTOCOLS) {
      t.equal(await talkers.pod.ask(protocol, outside), nodeOutside, `${protocol} to the outside ${outside}`)
      t.equal(await talkers.pod.ask(protocol, otherPod), own, `${protocol} to another node's pod ${otherPod}`)
      t.equal(await talkers.pod.ask(protocol, otherNode), own, `${protocol} to another node ${otherNode}`)
      t.equal(await talkers.pod.ask(protocol, given), own, `${protocol} to the excepted ${given}`)
    }
  }
})

t.test('What comes to a pod, and what others send through the node, keeps its address', async t => {
  const { daemon, pod, talkers } = await stage(t)
  await daemon.reconcile(WISH)
  for (const [i, { nodeOutside, outside, otherPod, otherNode, node }] of FAMILIES.entries()) {
    for (const protocol of PROTOCOLS) {
      t.equal(await talkers.outside.ask(protocol, pod.addresses[i]!), outside, 'the outside to the pod')
      t.equal(await talkers.outside.ask(protocol, otherPod), outside, "the outside to another node's pod")
      t.equal(await talkers.other.ask(protocol, outside), otherNode, 'another node to the outside')
      t.equal(
        await talkers.other.ask(protocol, outside, otherPod),
        otherPod,
        "another node's pod to the outside",
      )
      t.equal(await talkers.node.ask(protocol, outside), nodeOutside, 'the node to the outside')
      t.equal(await talkers.node.ask(protocol, otherNode), node, 'the node to another node')
    }
  }
})

t.test('Multicast is not masqueraded', async t => {
  const { daemon, lab, names, talkers } = await stage(t)
  await daemon.reconcile(WISH)
  for (const { version, word, gateway, multicast, outside, nodeOutside } of FAMILIES) {
    await lab.inside(
      lab.host,
      'ip',
      `-${version}`,
      'route',
      'add',
      'multicast',
      multicast,
      'dev',
      'up0',
      'table',
      'local',
    )
    t.equal(await talkers.node.ask('udp', outside, gateway), nodeOutside, 'from a podCIDR on the node itself')
    const seen = await lab.count(
      names.outside,
      'prerouting',
      `${word} saddr ${gateway} ${word} daddr ${multicast}`,
    )
    const ping = ['ping', '-c1', '-W0.2', '-I', gateway, '-I', 'up0', multicast]
    await lab.inside(lab.host, ...ping).catch(() => {})
    t.ok((await seen()) > 0, `${multicast} has it from ${gateway}`)
  }
})

t.test('Without a podCIDR of its own the node masquerades nothing', async t => {
  const { daemon, pod, talkers } = await stage(t)
  await daemon.reconcile(wishing({ own: [] }))
  t.same(await daemon.differences(wishing({ own: [] })), [])
  for (const [i, { outside }] of FAMILIES.entries()) {
    t.equal(await talkers.pod.ask('tcp', outside), pod.addresses[i])
  }
})

t.test('A connection goes on as it began when nodes come and go', async t => {
  const { daemon, pod, talkers } = await stage(t)
  await daemon.reconcile(WISH)
  const nodesOf = (...nodes: string[]): MasqueradeWish => wishing({ nodes: masqueradeWish({ nodes }).nodes })
  for (const [i, { nodeOutside, outside, otherNode, node }] of FAMILIES.entries()) {
    const own = pod.addresses[i]!
    const out = await talkers.pod.keep(outside)
    const within = await talkers.pod.keep(otherNode)
    t.same([out.seen, within.seen], [nodeOutside, own])
    // The node goes, and the address outside becomes one of a node.
    await daemon.load(change(WISH, nodesOf(outside)))
    t.same([await out.again(), await within.again()], [nodeOutside, own], 'over what was open')
    t.equal(await talkers.pod.ask('tcp', outside), own, 'a new one goes by the new rules')
    t.equal(await talkers.pod.ask('tcp', otherNode), node, 'both ways')
    await daemon.load(change(nodesOf(outside), WISH))
    t.same([await out.again(), await within.again()], [nodeOutside, own], 'and when it is undone')
    await daemon.load(masqueradeScript(WISH, { chain: 'other', rules: [], sets: new Map() }))
    t.same([await out.again(), await within.again()], [nodeOutside, own], 'and when all is loaded anew')
  }
})

t.test('While the rules change every packet meets the old or the new ones', async t => {
  const { daemon, pod, talkers } = await stage(t)
  await daemon.reconcile(WISH)
  const wide = masqueradeWish({ pods: ['10.244.0.0/16', '10.244.2.0/24', 'fd00:10:244::/48'] }).pods
  const seen = { inside: new Set<string>(), outside: new Set<string>() }
  const over = new AbortController()
  const asking = (async () => {
    while (!over.signal.aborted) {
      for (const { otherPod, outside } of FAMILIES) {
        seen.inside.add(await talkers.pod.ask('udp', otherPod))
        seen.outside.add(await talkers.pod.ask('udp', outside))
      }
    }
  })()
  for (let round = 0; round < 20; round += 1) {
    await daemon.load(change(WISH, wishing({ pods: wide })))
    await daemon.load(change(wishing({ pods: wide }), WISH))
    await daemon.load(
      masqueradeScript(WISH, { chain: round % 2 ? 'right' : 'other', rules: [], sets: new Map() }),
    )
  }
  over.abort()
  await asking
  t.same(seen.inside, new Set(pod.addresses), "another node's pod only ever saw the pod")
  t.same(
    seen.outside,
    new Set(FAMILIES.map(({ nodeOutside }) => nodeOutside)),
    'and the outside only the node',
  )
})

for (const backend of ['nft', 'legacy']) {
  const iptables = (version: 4 | 6): string => `/usr/sbin/${version === 6 ? 'ip6' : 'ip'}tables-${backend}`
  const missing = process.env['CI'] === undefined && !isThere(iptables(4)) && `no iptables-${backend} here`
  for (const order of ['before', 'after']) {
    t.test(
      `iptables (${backend}) made ${order} the daemon's rules translates what it did`,
      { skip: missing },
      async t => {
        const { daemon, lab, pod, talkers } = await stage(t)
        const translate = async (): Promise<void> => {
          for (const { version, otherPod } of FAMILIES) {
            const run = [iptables(version), '-w', '-t', 'nat', '-A', 'POSTROUTING', '-p', 'tcp']
            // As kube-proxy has it, for whatever somebody has marked, and as a node may have it for all that leaves.
            await lab.inside(lab.host, ...run, '-d', otherPod, '-j', 'MASQUERADE', '--random-fully')
            await lab.inside(lab.host, ...run, '-o', 'up0', '-j', 'MASQUERADE', '--random-fully')
          }
        }
        if (order === 'before') await translate()
        await daemon.reconcile(WISH)
        if (order === 'after') await translate()
        for (const [i, { nodeOutside, outside, node, otherPod }] of FAMILIES.entries()) {
          const own = pod.addresses[i]!
          t.equal(await talkers.pod.ask('tcp', outside), nodeOutside, 'what both would translate')
          t.equal(await talkers.pod.ask('udp', outside), nodeOutside, 'what only the daemon would')
          t.equal(await talkers.pod.ask('tcp', otherPod), node, 'what only iptables would')
          t.equal(await talkers.pod.ask('udp', otherPod), own, 'what nobody would')
        }
      },
    )
  }
}

for (const order of ['before', 'after']) {
  t.test(
    `An ADD with ipMasq ${order} the daemon's first look, a DEL and a GC leave the daemon's rules`,
    async t => {
      const { daemon, lab, config, pod, talkers } = await stage(t, { ipMasq: order === 'before' })
      await daemon.reconcile(WISH)
      const masquerading = { ...config, ipMasq: true }
      const second = await lab.attach(masquerading)
      t.same(await daemon.differences(WISH), [])
      for (const { outside, nodeOutside } of FAMILIES)
        t.equal(await talkers.pod.ask('tcp', outside), nodeOutside, 'either would do')
      t.match(await lab.call('DEL', masquerading, second), { code: 0 })
      t.match(await lab.call('DEL', masquerading, pod), { code: 0 })
      t.match(await lab.call('GC', { ...masquerading, 'cni.dev/valid-attachments': [] }), { code: 0 })
      t.same(await daemon.differences(WISH), [])
      t.match(await ruleset(lab), /chain cluster-masquerade/)
    },
  )
}

t.test('Nothing of others is touched, in the same table and in other ones', async t => {
  const { daemon, lab } = await stage(t, { ipMasq: true, macspoofchk: true })
  const nft = (script: string) => lab.inside(lab.host, 'nft', script)
  await nft('add table ip nat; add chain ip nat mine; add rule ip nat mine counter comment "mine"')
  await nft(
    'add chain inet podwire mine; add set inet podwire mine { type ipv4_addr; elements = { 1.2.3.4 }; }',
  )
  const before = await ruleset(lab)
  await daemon.reconcile(WISH)
  await daemon.load(change(WISH, wishing({ pods: new Map(), nodes: new Map() })))
  await daemon.reconcile(wishing({ own: [], pods: new Map() }))
  await nft('delete chain inet podwire cluster-masquerade')
  for (const name of setsOf(WISH).keys()) await nft(`delete set inet podwire ${name}`)
  t.equal(await ruleset(lab), before)
})

t.test('What others did to the rules is noticed and put right', async t => {
  const { daemon, nft, list } = table(t)
  t.equal((await daemon.reconcile(WISH)).length, 7, 'at first all is missing')
  t.same(await daemon.reconcile(WISH), [])
  const before = await list()
  const missing = OWN.map(own => `chain cluster-masquerade lacks the rule for ${own}`)
  for (const [damage, found] of [
    ['flush chain inet podwire cluster-masquerade', missing],
    [
      'insert rule inet podwire cluster-masquerade accept',
      ['chain cluster-masquerade has surplus rules (1)'],
    ],
    ['flush set inet podwire cluster-nodes4', ['set cluster-nodes4 lacks 172.30.0.11, 172.30.0.12']],
    ['add element inet podwire cluster-pods4 { 1.0.0.0/8 }', ['set cluster-pods4 has 1.0.0.0/8 too']],
    [
      'chain inet podwire cluster-masquerade { policy drop; }',
      ['chain cluster-masquerade is of another kind'],
    ],
  ] as const) {
    await nft(damage)
    t.same(await daemon.reconcile(WISH), found, damage)
    t.equal(await list(), before)
  }
  for (const damage of ['flush table inet podwire', 'delete table inet podwire', 'flush ruleset']) {
    await nft(damage)
    t.ok((await daemon.reconcile(WISH)).length > 0, damage)
    t.equal(await list(), before)
  }
})

t.test('What an older version made of another kind is replaced', async t => {
  const { daemon, nft, list } = table(t)
  await daemon.reconcile(WISH)
  const right = await list()
  await nft('flush ruleset')
  await nft(`add table inet podwire
    add set inet podwire cluster-pods4 { type ipv4_addr; flags interval; timeout 1h; elements = { 10.0.0.0/8 }; }
    add set inet podwire cluster-nodes4 { type ipv4_addr; flags interval; }
    add set inet podwire cluster-nodes6 { type ipv4_addr; timeout 1h; }
    add chain inet podwire cluster-masquerade { type nat hook postrouting priority 90; }
    add rule inet podwire cluster-masquerade ip saddr 10.244.1.0/24 ip daddr != @cluster-pods4 masquerade`)
  await daemon.reconcile(WISH)
  t.same(new Set((await list()).split(/\n\n/)), new Set(right.split(/\n\n/)))
})

t.test('Loading what is there, and removing what is gone, changes nothing and does not fail', async t => {
  const { daemon, nft } = table(t)
  await daemon.reconcile(WISH)
  const empty = wishing({ pods: new Map(), nodes: new Map(), given: [] })
  for (const time of ['once', 'twice']) {
    await daemon.load(change(WISH, empty))
    t.same(await daemon.differences(empty), [], time)
  }
  for (const time of ['once', 'twice']) {
    await daemon.load(change(empty, WISH))
    t.same(await daemon.differences(WISH), [], time)
  }
  await nft('flush set inet podwire cluster-pods4; add element inet podwire cluster-pods4 { 10.244.0.0/16 }')
  await t.rejects(daemon.load(change(empty, WISH)), /overlap|exists/, 'where somebody has meddled it fails')
  await daemon.reconcile(WISH)
  t.same(await daemon.differences(WISH), [], 'until all is loaded anew')
})

const NESTED =
  `0.0.0.0/0 10.0.0.0/8 10.0.0.0/16 10.1.0.0/16 10.1.0.0/24 10.1.1.0/24 10.1.255.0/24 10.255.0.0/16
  255.0.0.0/8 255.255.255.255/32 0.0.0.0/8 0.0.0.0/32
  ::/0 fd00::/16 fd00::/64 fd00:0:0:1::/64 ffff::/16 ::1.2.3.4/128`.split(/\s+/)

t.test('However networks in networks come and go, the kernel has what is wished', async t => {
  const { daemon } = table(t)
  await daemon.reconcile(masqueradeWish({}))
  let before = masqueradeWish({})
  const pods = fc.subarray(NESTED)
  const move = fc.asyncProperty(pods, async pods => {
    const after = masqueradeWish({ pods, given: pods })
    await daemon.load(change(before, after))
    before = after
    t.same(await daemon.differences(after), [], pods.join(' '))
  })
  await fc.assert(move, { numRuns: 60, endOnFailure: true })
})

t.test('Five thousand nodes are no trouble', async t => {
  const { daemon } = table(t)
  const numbers = Array.from({ length: 5000 }, (_, i) => i)
  const wish = masqueradeWish({
    own: ['10.128.0.0/24'],
    pods: numbers.flatMap(i => [`10.${128 + (i >> 8)}.${i & 255}.0/24`, `fd00:10:${i.toString(16)}::/64`]),
    nodes: numbers.flatMap(i => [`172.16.${i >> 8}.${i & 255}`, `fd00:172::${(i + 1).toString(16)}`]),
  })
  const started = performance.now()
  await daemon.reconcile(wish)
  t.comment(`first load ${Math.round(performance.now() - started)} ms`)
  const again = performance.now()
  t.same(await daemon.reconcile(wish), [])
  t.comment(`a look ${Math.round(performance.now() - again)} ms`)
  const one = performance.now()
  const more = { ...wish, pods: new Map([...wish.pods, ...masqueradeWish({ pods: ['10.99.0.0/24'] }).pods]) }
  await daemon.load(change(wish, more))
  t.comment(`one change ${Math.round(performance.now() - one)} ms`)
  t.same(await daemon.differences(more), [])
})

t.test('The kernel takes the script in test/golden, and lists it as before', async t => {
  const { daemon, nft, list } = table(t)
  for (const time of ['once', 'twice']) {
    await daemon.load(readGolden('cluster-masquerade.nft'))
    t.same(await daemon.differences(GOLDEN_WISH), [], time)
    matchesGolden(t, 'cluster-masquerade.list', await list())
  }
  // For the unit tests: things of others are in the table too.
  await nft('add map inet podwire masquerade4 { type ipv4_addr : verdict; }')
  await nft('add chain inet podwire postrouting { type nat hook postrouting priority srcnat; }')
  await nft('add rule inet podwire postrouting ip saddr vmap @masquerade4')
  const { nftables } = JSON.parse(await nft('-j', 'list', 'table', 'inet', 'podwire'))
  recordGolden('cluster-masquerade.json', JSON.stringify({ nftables }, null, 2))
})

function isThere(program: string): boolean {
  try {
    execFileSync(program, ['--version'])
    return true
  } catch {
    return false
  }
}
