import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { type Attach, type Config, Lab } from './lab.ts'

/*
 * An ADD that refuses leaves the node as it was: links, addresses, rules, reservations. The container that was there
 * before does not notice.
 */

interface Refusal {
  readonly code: number
  readonly msg: RegExp
  readonly config?: Config
  readonly ipam?: Config
  readonly attach?: Partial<Attach>
}

const lab = new Lab(t)
const config = { ipMasq: true, macspoofchk: true }
const first = await lab.attach(lab.config(config))
const [address = ''] = first.addresses
await lab.inside(lab.host, 'ip', 'link', 'add', 'taken0', 'type', 'veth', 'peer', 'name', 'taken1')
const occupied = lab.namespace()
await lab.inside(occupied, 'ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth9')
const file = `${lab.folder}/file`
const pipe = `${lab.folder}/pipe`
writeFileSync(file, '')
execFileSync('mkfifo', [pipe])
const only = (ip: string) => [[{ subnet: '10.1.0.0/24', rangeStart: ip, rangeEnd: ip }]]
const unreachable = { routes: [{ dst: '10.9.0.0/16', gw: '192.168.7.1' }] }

const REFUSALS: Record<string, Refusal> = {
  'an interface name that the container has': { code: 105, msg: /"eth0"/, attach: { netns: occupied } },
  'the same attachment again': { code: 105, msg: /"eth0".*DEL/, attach: first },
  'the same attachment in another namespace': { code: 100, msg: /veth.*DEL/, attach: { id: first.id } },
  'a namespace that is a plain file': { code: 4, msg: /not a network namespace/, attach: { netns: file } },
  'a namespace that is missing': { code: 4, msg: /ENOENT/, attach: { netns: '/run/netns/none' } },
  'a namespace that is a named pipe': { code: 4, msg: /not a network namespace/, attach: { netns: pipe } },
  'a namespace of mounts': { code: 4, msg: /not a network/, attach: { netns: '/proc/self/ns/mnt' } },
  'its own namespace': { code: 4, msg: /plugin itself/, attach: { netns: '/proc/self/ns/net' } },
  'its own namespace by a name': { code: 4, msg: /plugin itself/, attach: { netns: lab.host } },
  'a bridge name that a veth has': { code: 106, msg: /"taken0".*a veth/, config: { bridge: 'taken0' } },
  'a bridge name that the loopback has': { code: 106, msg: /"lo".*no bridge/, config: { bridge: 'lo' } },
  'an exhausted pool': { code: 101, msg: /no IP addresses available/, ipam: { ranges: only(address) } },
  'an address plugin that nobody has': { code: 111, msg: /"nobody".*CNI_PATH/, ipam: { type: 'nobody' } },
  'a route whose next hop is out of reach': { code: 7, msg: /192\.168\.7\.1.*next hop/, ipam: unreachable },
  'such a route on a bridge of its own': {
    code: 7,
    msg: /next hop/,
    config: { bridge: 'own0' },
    ipam: { ranges: [[{ subnet: '10.3.0.0/24' }], [{ subnet: 'fd00:3::/64' }]], ...unreachable },
  },
  'an MTU that no link can have': {
    code: 7,
    msg: /"mtu": 67; the smallest is 68/,
    config: { mtu: 67, bridge: 'own0' },
  },
  'an MTU that IPv6 cannot have': {
    code: 7,
    msg: /fd00:3::\d\/64: IPv6 needs an MTU of 1280 bytes, and "mtu" is 1279/,
    config: { mtu: 1279, bridge: 'own0' },
    ipam: { ranges: [[{ subnet: '10.3.0.0/24' }], [{ subnet: 'fd00:3::/64' }]] },
  },
  'an access VLAN on a trunk': {
    code: 7,
    msg: /"vlan" and "vlanTrunk" together/,
    config: { vlan: 5, vlanTrunk: [{ id: 6 }], bridge: 'own0' },
  },
  'a bridge of another subnet': {
    code: 106,
    msg: /already has an IP address different from 10\.2\.0\.1\/24.*forceAddress/,
    ipam: { ranges: [[{ subnet: '10.2.0.0/24' }]] },
  },
}

for (const [what, { code, msg, config: keys, ipam, attach }] of Object.entries(REFUSALS)) {
  t.test(`ADD refuses ${what}`, async t => {
    const before = await lab.state()
    const pod = { id: 'second', ...attach, netns: attach?.netns ?? lab.namespace() }
    const answer = await lab.call('ADD', lab.config({ ...config, ...keys }, ipam), pod)
    t.match(answer, { code: 1, stderr: /^$/, json: { cniVersion: '1.1.0', code, msg } })
    t.same(await lab.state(), before, 'the node is as before')
    if (attach?.netns === undefined) {
      t.same(
        (await lab.ip(pod.netns, 'link')).map(link => link.ifname),
        ['lo'],
        'the container is as before',
      )
    }
    t.ok(await lab.pings(first.netns, '10.1.0.1'), 'the first attachment works')
  })
}

t.test('ADD undoes everything when its last step, the rules, fails', async t => {
  const lab = new Lab(t)
  // A set by the name of the plugin's map: nothing fits into it.
  const table = 'add table inet podwire; add set inet podwire masquerade4 { type ipv4_addr; }'
  await lab.inside(lab.host, 'nft', table)
  const before = await lab.state()
  const pod = { id: 'c1', netns: lab.namespace() }
  const answer = await lab.call('ADD', lab.config(config), pod)
  t.match(answer, { code: 1, json: { code: 110, msg: /inet podwire/ } })
  t.same(await lab.state(), before)
  t.same((await lab.ip(pod.netns, 'link')).length, 1)
})

t.test('ADD takes its own namespace when CNI_NETNS_OVERRIDE allows it', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: lab.host, env: { CNI_NETNS_OVERRIDE: '1' } }
  t.match(await lab.call('ADD', lab.config(), pod), { code: 0 })
  t.match(await lab.call('DEL', lab.config(), pod), { code: 0 })
  t.same(await lab.traces(), { links: ['cbr0'], rules: [], reservations: [] })
})
