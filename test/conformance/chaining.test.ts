import t, { type Test } from 'tap'
import { type Attach, Lab } from '../netns/lab.ts'
import { Chain, type Conflist, type Outcome, type Plugin } from './chain.ts'
import { answers, serve } from './page.ts'
import { lacks } from './requirements.ts'

/*
 * Plugins of the reference behind ours, as a runtime chains them. Each changes what we made, which our CHECK must
 * accept, and finds in our result what it needs.
 */

const skip = lacks({
  '/usr/lib/cni/tuning': 'containernetworking-plugins',
  iptables: 'iptables',
  nft: 'nftables',
})
const MAC = '02:00:00:00:00:77'
const SYSCTLS = { 'net.core.somaxconn': '500', 'net.ipv4.conf.eth0.arp_filter': '1' }

const TUNING = { type: 'tuning', capabilities: { mac: true }, sysctl: SYSCTLS, mtu: 1400, allmulti: true }
const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } }
const BANDWIDTH = { type: 'bandwidth', ingressRate: 8_000_000, ingressBurst: 800_000 }
const FIREWALL = { type: 'firewall', backend: 'iptables' }
const RUNTIME = { mac: MAC, portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] }

t.test('tuning changes the MAC, MTU and sysctls of what we made', { skip }, t =>
  everyVersion(t, [TUNING], async (t, lab, pod) => {
    t.match(await lab.ip(pod.netns, 'link', 'show', 'eth0'), [{ mtu: 1400, address: MAC }])
    t.match(await lab.inside(pod.netns, 'cat', '/proc/sys/net/core/somaxconn'), '500')
    t.ok(await lab.pings(pod.netns, '10.1.0.1'), 'the gateway answers')
  }),
)

t.test('portmap publishes a port of the node', { skip }, t =>
  everyVersion(t, [PORTMAP], async (t, lab, pod) => {
    await lab.inside(lab.host, 'ip', 'address', 'add', '192.0.2.1/32', 'dev', 'lo')
    await serve(t, lab, pod.netns, 80)
    t.ok(await answers(lab, lab.host, 'http://192.0.2.1:8080/'), 'the node reaches it')
    t.ok(await answers(lab, pod.netns, 'http://192.0.2.1:8080/'), 'the container reaches itself')
  }),
)

t.test('firewall lets traffic of our addresses through', { skip }, t =>
  everyVersion(t, [FIREWALL], async (t, lab) => {
    await lab.inside(lab.host, 'iptables', '-P', 'FORWARD', 'DROP')
    for (const [name, subnet, more] of [
      ['open', '10.2.0.0/24', [FIREWALL]],
      ['closed', '10.3.0.0/24', []],
    ] as const) {
      const other = { id: name, netns: lab.namespace() }
      const chain = new Chain(lab, conflist(lab, '1.0.0', more, { name, bridge: `cbr-${name}`, subnet }))
      const { json: result } = await chain.add(other)
      t.equal(await lab.pings(other.netns, '10.1.0.2'), name === 'open', `the way from there is ${name}`)
      t.match(await chain.del(other, result), { code: 0 })
    }
  }),
)

t.test('bandwidth limits our veth', { skip }, t =>
  everyVersion(t, [BANDWIDTH], async (t, lab, _pod, result) => {
    const veth = result.interfaces[1].name
    t.match(await lab.inside(lab.host, 'tc', 'qdisc', 'show', 'dev', veth), /tbf .*rate 8Mbit/)
  }),
)

t.test('all of them work in one chain', { skip }, t =>
  everyVersion(t, [TUNING, BANDWIDTH, FIREWALL, PORTMAP], async (t, lab, pod) => {
    t.ok(await lab.pings(pod.netns, '10.1.0.1'), 'the gateway answers')
  }),
)

// oxlint-disable-next-line typescript/no-explicit-any -- a result of any version
type WhileUp = (t: Test, lab: Lab, pod: Attach, result: any) => Promise<void>

/** One container's life in each version: ADD, what the test says, CHECK, DEL, DEL again. */
async function everyVersion(t: Test, behind: readonly Plugin[], whileUp: WhileUp): Promise<void> {
  // The reference's firewall knows nothing before 0.4.0.
  for (const version of behind.includes(FIREWALL) ? ['0.4.0', '1.0.0'] : ['0.3.1', '0.4.0', '1.0.0']) {
    await t.test(version, async t => {
      const lab = new Lab(t)
      const pod = { id: 'pod', netns: lab.namespace() }
      const chain = new Chain(lab, conflist(lab, version, behind), RUNTIME)
      const added = await chain.add(pod)
      t.equal(added.code, 0, `ADD ends in ${added.from}: ${added.stdout}`)
      await whileUp(t, lab, pod, added.json)
      if (version !== '0.3.1') accepted(t, await chain.check(pod, added.json))
      isSilent(t, await chain.del(pod, added.json), 'DEL')
      isSilent(t, await chain.del(pod, added.json), 'DEL again')
      await nothingIsLeft(t, lab)
    })
  }
}

/** CHECK got through. The reference's portmap 1.1 refuses its own work (it looks for IPv4 rules in ip6tables). */
function accepted(t: Test, checked: Outcome): void {
  if (checked.from === 'portmap') t.pass('CHECK got as far as portmap')
  else isSilent(t, checked, 'CHECK')
}

function isSilent(t: Test, { code, stdout }: Outcome, name: string): void {
  t.same({ code, stdout }, { code: 0, stdout: '' }, name)
}

async function nothingIsLeft(t: Test, lab: Lab): Promise<void> {
  const { links, reservations } = await lab.traces()
  t.same([links.filter(link => !link.startsWith('cbr')), reservations], [[], []], 'no link, no address')
  t.notMatch(await lab.inside(lab.host, 'nft', 'list', 'ruleset'), /10\.\d\.0\./, 'no rule of an address')
}

function conflist(
  lab: Lab,
  cniVersion: string,
  behind: readonly Plugin[],
  { name, bridge, subnet } = { name: 'pods', bridge: 'cbr0', subnet: '10.1.0.0/24' },
): Conflist {
  const own = lab.config({ bridge, hairpinMode: true, ipMasq: true }, { ranges: [[{ subnet }]] })
  return { cniVersion, name, plugins: [{ ...own, type: 'podwire' }, ...behind] }
}
