import t from 'tap'
import type { Connection, Ends } from '../../../cni/core/netlink/conntrack.ts'
import { IPV4 } from '../../../ipam/core/ip.ts'
import { ip } from '../../../test/support/result.ts'
import { answersOf, beginningOf } from './echo.ts'

const ends = (source: string, sourcePort: number, destination: string, destinationPort: number): Ends => ({
  source: ip(source),
  sourcePort,
  destination: ip(destination),
  destinationPort,
})

const connection = (protocol: number, original: Ends, reply: Ends): Connection => ({
  family: IPV4,
  protocol,
  original,
  reply,
  identity: [],
  answers: [],
})

t.test(
  'an answer to a connection begins one that goes the way of its answers, and nobody else does',
  async t => {
    const cut = connection(
      17,
      ends('10.1.0.1', 4000, '10.96.0.1', 53),
      ends('10.1.0.2', 5353, '10.1.0.1', 4000),
    )
    const back = ends('10.1.0.1', 4000, '10.1.0.2', 5353)
    const echo = connection(17, ends('10.1.0.2', 5353, '10.1.0.1', 4000), back)
    t.equal(beginningOf(echo), answersOf(cut))
    t.not(beginningOf(connection(6, echo.original, back)), answersOf(cut), 'another protocol')
    t.not(beginningOf(connection(17, ends('10.1.0.2', 5353, '10.1.0.1', 4001), back)), answersOf(cut))
    t.not(beginningOf(cut), answersOf(cut))
  },
)
