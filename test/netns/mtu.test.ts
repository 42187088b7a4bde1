import { writeFileSync } from 'node:fs'
import t from 'tap'
import { defaultRoute } from '../../cni/edge/default-route.ts'
import { Netlink } from '../../cni/edge/netlink.ts'
import { Netns } from '../../cni/edge/netns.ts'
import { Site } from '../../cni/edge/site.ts'
import type { NetnsPath } from '../../cni/spec/environment.ts'
import { Lab } from './lab.ts'

/*
 * A config without `mtu` takes that of the node's default route, whatever else the routing table holds.
 */

const ROUTES = 20_000

/** A node with two uplinks, `up0` of MTU 1400 and `up1` of 1380, and what commands of `ip` add to it. */
async function node(t: ConstructorParameters<typeof Lab>[0], ...commands: string[]): Promise<Lab> {
  const lab = new Lab(t)
  const uplinks = [0, 1].flatMap(i => [
    `link add up${i} mtu ${1400 - 20 * i} type veth peer name end${i}`,
    `link set up${i} up`,
    `link set end${i} up`,
    `address add 192.0.2.${1 + 128 * i}/25 dev up${i}`,
    `address add 2001:db8:${i}::1/64 dev up${i} nodad`,
  ])
  const batch = `${lab.folder}/batch`
  writeFileSync(batch, [...uplinks, ...commands, ''].join('\n'))
  await lab.inside(lab.host, 'ip', '-batch', batch)
  return lab
}

/** What the lab's host says of its default route, and how often a whole table was listed for it. */
function look(lab: Lab) {
  using netns = Netns.open(lab.path(lab.host) as NetnsPath, false)
  let dumps = 0
  const counting = class extends Netlink {
    override dump(request: Parameters<Netlink['dump']>[0]) {
      dumps += 1
      return super.dump(request)
    }
  }
  using site = new Site(netns.run(() => new counting()))
  return { route: defaultRoute(site), dumps }
}

const CASES: Record<string, { commands: string[]; name: string; mtu: number; dumps?: number }> = {
  'of the interface it leaves through': {
    commands: ['route add default via 192.0.2.2'],
    name: 'up0',
    mtu: 1400,
  },
  'of the route itself, when that has one': {
    commands: ['route add default via 192.0.2.2 mtu 1300'],
    name: 'up0',
    mtu: 1300,
  },
  'of the narrowest of several hops': {
    commands: ['route add default nexthop via 192.0.2.2 nexthop via 192.0.2.130'],
    name: 'up1',
    mtu: 1380,
  },
  'of the narrowest of several IPv6 hops': {
    commands: ['route add ::/0 nexthop via 2001:db8:0::2 nexthop via 2001:db8:1::2'],
    name: 'up1',
    mtu: 1380,
  },
  'of the preferred one of two': {
    commands: ['route add default via 192.0.2.2 metric 200', 'route add default via 192.0.2.130 metric 100'],
    name: 'up1',
    mtu: 1380,
  },
  'of an IPv4 route with an IPv6 gateway': {
    commands: ['route add default via inet6 2001:db8:1::2 dev up1'],
    name: 'up1',
    mtu: 1380,
  },
  'of IPv4’s before that of IPv6': {
    commands: ['route add default via 192.0.2.2', 'route add ::/0 via 2001:db8:1::2'],
    name: 'up0',
    mtu: 1400,
  },
  'of a route that no gateway is needed for': {
    commands: ['route add default dev up1'],
    name: 'up1',
    mtu: 1380,
  },
  'beside a network that reserved addresses are used in': {
    commands: ['route add 0.0.0.0/8 dev up1', 'route add default via 192.0.2.2'],
    name: 'up0',
    mtu: 1400,
  },
  'beside routes that cover everything': {
    commands: [
      'route add default via 192.0.2.2',
      'route add 0.0.0.0/1 via 192.0.2.130',
      'route add blackhole 128.0.0.0/1',
    ],
    name: 'up0',
    mtu: 1400,
    dumps: 1,
  },
}

for (const [what, { commands, name, mtu, dumps = 0 }] of Object.entries(CASES)) {
  t.test(`the MTU is that ${what}`, async t => {
    const lab = await node(t, ...commands)
    t.strictSame(look(lab), { route: { name, mtu }, dumps })
    const pod = await lab.attach(lab.config())
    t.match(await lab.ip(pod.netns, 'link', 'show', 'eth0'), [{ mtu }])
  })
}

t.test(`a table of ${ROUTES} routes is not listed`, async t => {
  const numbers = Array.from({ length: ROUTES }, (_, i) => [100 + (i >> 14), (i >> 6) & 255, (i & 63) * 4])
  const routes = numbers.map(([a, b, c]) => `route add ${a}.${b}.${c}.0/30 via 192.0.2.130`)
  t.strictSame(look(await node(t, ...routes)), { route: undefined, dumps: 0 })
  const lab = await node(t, ...routes, 'route add default via 192.0.2.2')
  t.strictSame(look(lab), { route: { name: 'up0', mtu: 1400 }, dumps: 0 })
})
