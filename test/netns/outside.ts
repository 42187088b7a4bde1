import type { Lab } from './lab.ts'

/** The addresses of the node and of a machine next to it, and the containers' subnet. */
export const FAMILIES = [
  { word: 'ip', node: '192.0.2.1', outside: '192.0.2.2', subnet: '10.1.0.0/24', bits: 24 },
  { word: 'ip6', node: '2001:db8::1', outside: '2001:db8::2', subnet: 'fd00:1::/64', bits: 64 },
]

/** A machine next to the node, which has a way back to the containers: whether it needs it is the question. */
export async function outside(lab: Lab): Promise<string> {
  const name = lab.namespace('outside')
  await lab.inside(lab.host, 'ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'eth0', 'netns', name)
  for (const [netns, link] of [
    [lab.host, 'up0'],
    [name, 'eth0'],
  ] as const) {
    // A node forwards nothing over a link whose link-local address is still under detection.
    await lab.inside(netns, 'sysctl', '-qw', `net.ipv6.conf.${link}.accept_dad=0`)
    await lab.inside(netns, 'ip', 'link', 'set', link, 'up')
  }
  for (const { node, outside, subnet, bits } of FAMILIES) {
    await lab.inside(lab.host, 'ip', 'address', 'add', `${node}/${bits}`, 'dev', 'up0', 'nodad')
    await lab.inside(name, 'ip', 'address', 'add', `${outside}/${bits}`, 'dev', 'eth0', 'nodad')
    await lab.inside(name, 'ip', 'route', 'add', subnet, 'via', node)
  }
  return name
}
