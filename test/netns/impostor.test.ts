import t, { type Test } from 'tap'
import { ip } from '../support/result.ts'
import { type Config, Lab, type Pod } from './lab.ts'
import { encodeFrame } from './packet.ts'
import { RawSocket } from './raw-socket.ts'

/*
 * A process in a container that has CAP_NET_RAW or CAP_NET_ADMIN says that it is another container: by MAC, in ARP, in
 * neighbour discovery. In mode l3 nobody believes it.
 */

const DUAL = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00:1::/64' }]] }
const GATEWAYS = ['10.1.0.1', 'fd00:1::1'] as const
const ECHO = ['icmp type echo-request', 'icmpv6 type echo-request'] as const
const FAMILIES = [0, 1] as const

const macOf = (pod: Pod): string => pod.result.interfaces[2].mac
const hostVeth = (pod: Pod): string => pod.result.interfaces[1].name
const addressOf = (pod: Pod, family: 0 | 1): string => pod.addresses[family]!

/** A node with the impostor, and the one that it wants to be. */
async function stage(t: Test, keys: Config = { mode: 'l3' }) {
  const lab = new Lab(t)
  const config = lab.config(keys, DUAL)
  const [impostor, victim] = [await lab.attach(config), await lab.attach(config)]
  for (const { netns } of [impostor, victim])
    for (const gateway of GATEWAYS) t.ok(await lab.pings(netns, gateway))
  return { lab, config, impostor, victim }
}

type Stage = Awaited<ReturnType<typeof stage>>

/** Takes a MAC; one's own again has the kernel tell all neighbours of it. */
const takeMac = ({ lab }: Stage, { netns }: Pod, mac: string) =>
  lab.inside(netns, 'ip', 'link', 'set', 'eth0', 'address', mac)

/** Whether the kernel locks ports. */
async function locks(t: Test, { lab, victim }: Stage): Promise<boolean> {
  const [port] = await lab.ip(lab.host, 'link', 'show', 'dev', hostVeth(victim))
  const { locked, learning, flood } = port.linkinfo.info_slave_data
  t.same({ learning, flood }, { learning: false, flood: false }, 'no port learns, or gets what nobody has')
  return locked === true
}

/** What is sent to the other's addresses comes to the other, and not to the impostor. */
async function reachesVictim(t: Test, { lab, impostor, victim }: Stage, when: string): Promise<void> {
  for (const family of FAMILIES) {
    const [address, hook] = [addressOf(victim, family), 'prerouting'] as const
    const counts = [impostor, victim].map(({ netns }) => lab.count(netns, hook, ECHO[family]))
    const [wrong, right] = await Promise.all(counts)
    await lab.pings(lab.host, address)
    t.same([await wrong!(), await right!()], [0, 1], `${address}, ${when}`)
  }
}

t.test('l3: who takes another’s MAC is heard by nobody', async t => {
  const scene = await stage(t)
  const { lab, impostor, victim } = scene
  if (!(await locks(t, scene))) {
    t.pass('this kernel locks no port (before 5.18)')
    return
  }
  await takeMac(scene, impostor, macOf(victim))
  for (const gateway of GATEWAYS) t.notOk(await lab.pings(impostor.netns, gateway), `${gateway} is silent`)
  await reachesVictim(t, scene, 'while another has its MAC')
  await takeMac(scene, impostor, macOf(impostor))
  for (const gateway of GATEWAYS) t.ok(await lab.pings(impostor.netns, gateway), `${gateway} answers again`)
})

t.test('l3: frames by another’s MAC go nowhere, and draw nothing', async t => {
  const scene = await stage(t)
  const { lab, impostor, victim } = scene
  const isLocked = await locks(t, scene)
  using socket = new RawSocket(lab.path(impostor.netns))
  const [{ ifindex: link }] = await lab.ip(impostor.netns, 'link', 'show', 'dev', 'eth0')
  const [bridge] = impostor.result.interfaces
  const send = (source: string, port: number) =>
    FAMILIES.forEach(family => {
      const ends = { source: ip(addressOf(impostor, family)), destination: ip(GATEWAYS[family]) }
      const packet = { ...ends, protocol: 'udp', sourcePort: 1, port } as const
      socket.sendFrame(encodeFrame(packet, { source, destination: bridge.mac, tags: [] }), link)
    })
  // Not earlier: br_netfilter shows to hooks before what the bridge drops only then.
  const counts = [5001, 5002, 5003, 5004].map(port => lab.count(lab.host, 'input', `udp dport ${port}`))
  const [own, other, nobodys, nodes] = await Promise.all(counts)
  send(macOf(victim), 5002)
  send('02:00:00:00:00:77', 5003)
  send(bridge.mac, 5004)
  send(macOf(impostor), 5001)
  t.equal(await own!(), 2, 'its own MAC')
  if (isLocked) t.same([await other!(), await nobodys!(), await nodes!()], [0, 0, 0], 'no other')
  else t.pass('this kernel locks no port (before 5.18)')
  await reachesVictim(t, scene, 'after frames by its MAC')
  // As a pod's that was wired by an older Podwire, or in mode l2.
  const unlocked = ['learning', 'on', 'flood', 'on', ...(isLocked ? ['locked', 'off'] : [])]
  await lab.inside(lab.host, 'bridge', 'link', 'set', 'dev', hostVeth(impostor), ...unlocked)
  const seen = await lab.count(lab.host, 'input', 'udp dport 5005')
  send(macOf(victim), 5005)
  t.equal(await seen(), 2, 'a port that is not locked')
  await reachesVictim(t, scene, 'after frames by its MAC from there')
})

/** The container says that it has the other's addresses, unasked and when it asks for the node. */
async function lie({ lab, impostor, victim }: Stage): Promise<void> {
  for (const family of FAMILIES) {
    const address = addressOf(victim, family)
    const nodad = family === 0 ? [] : ['nodad']
    await lab.inside(impostor.netns, 'ip', 'address', 'add', address, 'dev', 'eth0', ...nodad)
  }
}

/** Whom the node takes for whose, and whether for good. */
const known = async ({ lab, victim }: Stage) =>
  Promise.all(
    FAMILIES.map(async family => {
      const [entry] = await lab.ip(lab.host, 'neighbour', 'show', 'to', addressOf(victim, family))
      return [entry.lladdr, entry.state[0]]
    }),
  )

t.test('l3: lies in ARP and neighbour discovery change nothing for the node', async t => {
  const scene = await stage(t)
  const { lab, impostor, victim } = scene
  await lie(scene)
  await takeMac(scene, impostor, macOf(impostor))
  for (const family of FAMILIES) {
    const [source, gateway] = [addressOf(victim, family), GATEWAYS[family]]
    await lab.inside(impostor.netns, 'ip', 'neighbour', 'flush', 'dev', 'eth0')
    const ping = ['ping', '-n', '-c1', '-W1', '-I', source, gateway] as const
    await t.rejects(lab.inside(impostor.netns, ...ping), `${gateway} answers the right one`)
  }
  t.same(
    await known(scene),
    FAMILIES.map(() => [macOf(victim), 'PERMANENT']),
  )
  await reachesVictim(t, scene, 'after the lies')
})

t.test('l3: what is sent to one whose veth is gone comes to nobody', async t => {
  const { lab, impostor, victim } = await stage(t)
  await lab.inside(lab.host, 'ip', 'link', 'del', hostVeth(victim))
  for (const family of FAMILIES) {
    // Before the kernel looks whether a frame is for this container.
    const seen = await lab.count(impostor.netns, 'ingress device eth0', ECHO[family])
    t.notOk(await lab.pings(lab.host, addressOf(victim, family)))
    t.equal(await seen(), 0, `the other sees nothing for ${addressOf(victim, family)}`)
    t.ok(await lab.pings(lab.host, addressOf(impostor, family)))
    t.equal(await seen(), 1, 'and what is its own')
    t.ok(await lab.pings(impostor.netns, GATEWAYS[family]), `${GATEWAYS[family]} answers it`)
  }
})

t.test('l2: a container may have another MAC, and several', async t => {
  const scene = await stage(t, {})
  const { lab, impostor } = scene
  await takeMac(scene, impostor, '02:00:00:00:00:77')
  for (const gateway of GATEWAYS) t.ok(await lab.pings(impostor.netns, gateway), gateway)
  const [port] = await lab.ip(lab.host, 'link', 'show', 'dev', hostVeth(impostor))
  t.match(port.linkinfo.info_slave_data, { learning: true, flood: true, hairpin: false, isolated: false })
  t.not(port.linkinfo.info_slave_data.locked, true)
  await lie(scene)
  await takeMac(scene, impostor, '02:00:00:00:00:77')
  for (const [mac] of await known(scene)) t.equal(mac, '02:00:00:00:00:77', 'and whoever asks, believes it')
})
