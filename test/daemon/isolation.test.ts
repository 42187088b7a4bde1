import { execFileSync } from 'node:child_process'
import t from 'tap'
import { libc } from '../../cni/edge/libc.ts'
import { filterFrames, filtersBridged, isolatePorts } from '../../daemon/edge/isolation.ts'

/*
 * Ports of pods that were wired before are isolated too, or not any more; nobody else's are touched.
 */

// CLONE_NEWNET: the bridge and its ports are those of the process's own namespace.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')

const sh = (script: string): string => execFileSync('sh', ['-ec', script], { encoding: 'utf8' })

/** The ports that are isolated, and those in hairpin mode. */
function ports() {
  const links: { ifname: string; linkinfo: { info_slave_data?: { isolated: boolean; hairpin: boolean } } }[] =
    JSON.parse(sh('ip -json -details link show type veth'))
  const having = (flag: 'isolated' | 'hairpin'): string[] =>
    links
      .filter(({ linkinfo }) => linkinfo.info_slave_data?.[flag])
      .map(({ ifname }) => ifname)
      .toSorted()
  return { isolated: having('isolated'), hairpin: having('hairpin') }
}

t.test('isolatePorts() isolates the pods of the network, and leaves all else as it is', async t => {
  sh(`ip link add cbr0 type bridge; ip link add other0 type bridge
for name in one two strange foreign away; do ip link add $name type veth peer $name-pod; done
for name in one two strange foreign; do ip link set $name master cbr0; done
ip link set away master other0
for name in one two away; do ip link set $name alias "podwire podwire c-$name eth0"; done
ip link set foreign alias "podwire another c1 eth0"
bridge link set dev one hairpin on`)
  t.equal(isolatePorts('cbr0', 'podwire', true), 2)
  t.same(ports(), { isolated: ['one', 'two'], hairpin: ['one'] })
  t.equal(isolatePorts('cbr0', 'podwire', true), 0, 'nothing is done twice')
  t.equal(isolatePorts('cbr0', 'podwire', false), 2)
  t.same(ports(), { isolated: [], hairpin: ['one'] })
})

t.test('isolatePorts() has nothing to do without the bridge', async t => {
  t.equal(isolatePorts('none0', 'podwire', true), 0)
})

t.test('filtersBridged() says whether the kernel has IP look at what bridges pass', async t => {
  try {
    sh('sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0')
  } catch {
    t.notOk(filtersBridged(), 'this kernel cannot')
    return
  }
  t.notOk(filtersBridged())
  for (const name of ['iptables', 'ip6tables']) {
    sh(`sysctl -qw net.bridge.bridge-nf-call-${name}=1`)
    t.ok(filtersBridged(), name)
    sh(`sysctl -qw net.bridge.bridge-nf-call-${name}=0`)
  }
})

t.test(
  'filterFrames() loads its rules however often, and says when the kernel does not take them',
  async t => {
    const rules = (): string => sh('nft list table bridge podwire')
    await filterFrames({ env: process.env })
    const once = rules()
    t.equal(once.match(/vlan id 0 drop/g)?.length, 2)
    await filterFrames({ env: process.env })
    t.equal(rules(), once)
    sh(`nft delete table bridge podwire
nft 'table bridge podwire { chain policy-frames { type filter hook input priority 0; }; }'`)
    await t.rejects(filterFrames({ env: process.env }), {
      message:
        /^Cannot keep frames from pods that policies do not see: .+ the kernel needs nf_tables_bridge, too$/,
    })
  },
)
