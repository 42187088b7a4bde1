import t from 'tap'
import type { Connection, Ends } from '../../../cni/core/netlink/conntrack.ts'
import { IPV4 } from '../../../ipam/core/ip.ts'
import { ip } from '../../../test/support/result.ts'
import { packetOf } from './connection.ts'

const OWN = { node: 'n1', addresses: new Set(['172.16.0.1']) }

/** `10.1.0.1:4000 10.96.0.1:80` and the like. */
function ends(text: string): Ends {
  const [source, destination] = text.split(' ').map(end => end.split(':'))
  const port = (digits: string | undefined): number | undefined =>
    digits === undefined ? undefined : Number(digits)
  return {
    source: ip(source![0]!),
    destination: ip(destination![0]!),
    sourcePort: port(source![1]),
    destinationPort: port(destination![1]),
  }
}

const connection = (protocol: number, original: string, reply: string): Connection => ({
  family: IPV4,
  protocol,
  original: ends(original),
  reply: ends(reply),
  identity: [],
})

t.test('a connection to a Service is one to the pod that answers', async t => {
  t.same(packetOf(connection(6, '10.1.0.1:4000 10.96.0.1:80', '10.1.0.2:8080 10.1.0.1:4000'), OWN), {
    source: ip('10.1.0.1'),
    destination: ip('10.1.0.2'),
    protocol: 'tcp',
    port: 8080,
  })
})

t.test('the node itself is known by its addresses, at either end', async t => {
  const out = packetOf(connection(17, '172.16.0.1:53 10.1.0.2:53', '10.1.0.2:53 172.16.0.1:53'), OWN)
  t.same([out.protocol, out.sender, out.receiver], ['udp', 'n1', undefined])
  const back = packetOf(connection(132, '10.1.0.2:53 172.16.0.1:54', '172.16.0.1:54 10.1.0.2:53'), OWN)
  t.same([back.protocol, back.port, back.sender, back.receiver], ['sctp', 54, undefined, 'n1'])
})

t.test('what has no ports has none', async t => {
  const { protocol, port } = packetOf(connection(1, '10.1.0.1 10.1.0.2', '10.1.0.2 10.1.0.1'), OWN)
  t.same([protocol, port], ['other', 0])
})
