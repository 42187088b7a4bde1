import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import t from 'tap'
import { type Choice, dumpConnections, parseConnection } from '../../cni/core/netlink/conntrack.ts'
import { forgetFlows } from '../../cni/edge/conntrack.ts'
import { libc } from '../../cni/edge/libc.ts'
import { dump } from '../../cni/edge/netfilter.ts'
import { FAMILIES, type Family, formatIp, IPV4, IPV6 } from '../../ipam/core/ip.ts'
import { ip } from '../support/result.ts'

/*
 * Which UDP flows a kernel forgets: those to a port of the node, and no others.
 */

// CLONE_NEWNET: the flows are those of the process's own namespace.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')

const SET_UP = `
ip link set lo up
ip link add out0 type veth peer out1; ip link set out0 up; ip link set out1 up
ip address add 192.0.2.1/24 dev out0; ip -6 address add 2001:db8::1/64 dev out0 nodad
nft 'add table inet t; add chain inet t c { type filter hook output priority 0; }; add rule inet t c ct state new'
`
execFileSync('sh', ['-ec', SET_UP])

/** The node's own addresses, and another machine's. */
const DESTINATIONS = ['127.0.0.1', '192.0.2.1', '192.0.2.9', '::1', '2001:db8::1', '2001:db8::9']

/** Sends a packet to each destination's ports. */
async function send(...ports: number[]): Promise<void> {
  for (const to of DESTINATIONS) {
    const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4')
    for (const port of ports)
      await new Promise<void>((resolve, reject) =>
        socket.send('?', port, to, error => (error ? reject(error) : resolve())),
      )
    socket.close()
  }
}

/** Where flows go to, as `ADDRESS PORT`. */
const listed = (family: Family, choice: Choice): string[] =>
  dump(dumpConnections(family, choice))
    .flatMap(({ body }) => parseConnection(body) ?? [])
    .map(({ original }) => `${formatIp(original.destination)} ${original.destinationPort}`)

/** The flows to these ports. */
const flows = (...ports: number[]): string[] =>
  FAMILIES.flatMap(family => listed(family, { protocol: 17 }))
    .filter(text => ports.includes(Number(text.split(' ')[1])))
    .toSorted()

const to = (addresses: readonly string[], ...ports: number[]): string[] =>
  addresses.flatMap(address => ports.map(port => `${address} ${port}`)).toSorted()

t.test('the kernel lists the flows to one port when it is asked for them', async t => {
  await send(53, 54)
  t.same(flows(53, 54), to(DESTINATIONS, 53, 54))
  const v4 = DESTINATIONS.filter(address => !address.includes(':'))
  t.same(listed(IPV4, { protocol: 17, originalDestinationPort: 53 }).toSorted(), to(v4, 53))
})

t.test(
  'flows to a port of the node are forgotten in its family, those to other machines are not',
  async t => {
    await send(1053, 1054)
    forgetFlows([{ family: IPV4, port: 1053, hostIp: undefined }])
    t.same(flows(1053), to(['192.0.2.9', '2001:db8::1', '2001:db8::9', '::1'], 1053))
    t.same(flows(1054), to(DESTINATIONS, 1054))
  },
)

t.test('flows to a port of one address are forgotten for that address', async t => {
  await send(2053)
  forgetFlows([{ family: IPV6, port: 2053, hostIp: ip('2001:db8::1') }])
  t.same(
    flows(2053),
    to(
      DESTINATIONS.filter(address => address !== '2001:db8::1'),
      2053,
    ),
  )
})

t.test('flows to several ports are forgotten at once', async t => {
  await send(3053, 3054, 3055)
  const ports = FAMILIES.flatMap(family => [3053, 3054].map(port => ({ family, port, hostIp: undefined })))
  forgetFlows(ports)
  t.same(flows(3053, 3054), to(['192.0.2.9', '2001:db8::9'], 3053, 3054))
  t.same(flows(3055), to(DESTINATIONS, 3055))
  forgetFlows(ports)
  forgetFlows([])
})
