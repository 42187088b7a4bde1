import fc from 'fast-check'
import t from 'tap'
import { reply } from '../../../test/support/netlink.ts'
import { encodeAttrs } from './attr.ts'
import { splitReplies } from './message.ts'
import { parseSettings, UNSET } from './settings.ts'

t.test('parseSettings() reads what the kernel shows of a bridge', t => {
  const [message] = splitReplies(reply('ip link show cbr0'))
  t.same(parseSettings(message!.body), { forwarding: { 4: false, 6: false }, redirects: true })
  t.end()
})

/** A link's body with these settings, in the kernel's order: forwarding first, IPv4's send_redirects sixth. */
const body = (v4: readonly number[], v6: readonly number[]): Uint8Array =>
  new Uint8Array([
    ...new Uint8Array(16),
    ...encodeAttrs([
      [
        26,
        [
          [2, [[1, new Uint8Array(Int32Array.from(v4).buffer)]]],
          [10, [[2, new Uint8Array(Int32Array.from(v6).buffer)]]],
        ],
      ],
    ]),
  ])

t.test('parseSettings() tells each setting from its neighbours', t => {
  t.same(parseSettings(body([1, 0, 0, 0, 0, 1], [0, 1])), {
    forwarding: { 4: true, 6: false },
    redirects: true,
  })
  t.same(parseSettings(body([0, 1, 1, 1, 1, 0, 1], [1])), {
    forwarding: { 4: false, 6: true },
    redirects: false,
  })
  t.end()
})

t.test('parseSettings() takes what it is not shown for unset, and never reads past a body', t => {
  t.same(parseSettings(new Uint8Array(16)), UNSET)
  const check = fc.property(
    fc.uint8Array({ maxLength: 200 }),
    body => typeof parseSettings(body).redirects === 'boolean',
  )
  fc.assert(check)
  t.end()
})
