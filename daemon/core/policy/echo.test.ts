import t from 'tap'
import type { Connection, Ends } from '../../../cni/core/netlink/conntrack.ts'
import { parseAttrs, readText } from '../../../cni/core/netlink/attr.ts'
import { parseElement, splitElements } from '../../../cni/core/netlink/element.ts'
import { decodeFields, formatFields } from '../../../cni/core/netlink/field.ts'
import { encodeRequest, type Request, splitReplies } from '../../../cni/core/netlink/message.ts'
import { ip } from '../../../test/support/result.ts'
import { BASE_SETS } from './base.ts'
import { echoRequests } from './echo.ts'

const ends = (source: string, sourcePort: number | undefined, destination: string, port: number): Ends => ({
  source: ip(source),
  sourcePort,
  destination: ip(destination),
  destinationPort: sourcePort === undefined ? undefined : port,
})

const connection = (protocol: number, original: Ends, reply: Ends): Connection => ({
  family: original.source.family,
  protocol,
  original,
  reply,
  identity: [],
})

/** What requests add, as `SET KEY`. */
const added = (requests: readonly Request[]): string[] =>
  requests.flatMap(request => {
    const { body } = splitReplies(encodeRequest(request, 1))[0]!
    const set = readText(parseAttrs(body.subarray(4)).get(2))!
    return splitElements(body).map(
      bytes => `${set} ${formatFields(decodeFields(BASE_SETS.get(set)!.key, parseElement(bytes)!.key)!)}`,
    )
  })

t.test('answers to a flow of UDP go the way from whom it reached to who is known there', async t => {
  const byService = connection(
    17,
    ends('10.1.0.1', 4000, '10.96.0.1', 53),
    ends('10.1.0.2', 5353, '10.1.0.1', 4000),
  )
  const six = connection(17, ends('fd00::1', 4000, 'fd00::2', 53), ends('fd00::2', 53, 'fd00::1', 4000))
  t.same(added(echoRequests([six, byService])), [
    'policy-echoes4 10.1.0.2 . 5353 . 10.1.0.1 . 4000',
    'policy-echoes6 fd00::2 . 53 . fd00::1 . 4000',
  ])
})

t.test('what has beginnings, or no ports, has no echoes', async t => {
  const back = ends('10.1.0.2', 80, '10.1.0.1', 4000)
  const none = ends('10.1.0.2', undefined, '10.1.0.1', 0)
  t.same(echoRequests([connection(6, back, back), connection(1, none, none), connection(17, none, none)]), [])
  t.same(echoRequests([]), [])
})
