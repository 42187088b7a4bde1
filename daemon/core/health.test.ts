import fc from 'fast-check'
import t from 'tap'
import {
  type Condition,
  failing,
  gates,
  liveness,
  type PartName,
  PARTS,
  readiness,
  seconds,
  UNTRIED,
} from './health.ts'

const OK: Condition = { kind: 'ok' }
const all = (condition: Condition, others: Partial<Record<PartName, Condition>> = {}) =>
  ({ ...Object.fromEntries(PARTS.map(part => [part, condition])), ...others }) as Record<PartName, Condition>
const fails = (reason: string, since = 0): Condition => ({ kind: 'failing', reason, since })

t.test('readiness() has one line for each part, with what is known of it, and a sum', async t => {
  t.same(readiness(all(OK), { routes: '3 of 3 present' }, 0), {
    ok: true,
    text: `[+] api: in order
[+] node: in order
[+] install: in order
[+] socket: in order
[+] sysctls: in order
[+] routes: 3 of 3 present
[+] masquerade: in order
[+] policy: in order
[+] conflist: in order
[+] sweep: in order
ready
`,
  })
})

t.test('readiness() names what the node waits for, and for how long it fails', async t => {
  const conditions = all(OK, {
    api: fails('connect ECONNREFUSED', 10_000),
    node: { kind: 'waiting', reason: 'this node has no podCIDRs yet' },
    masquerade: fails('nft is missing', 128_000),
    sweep: fails('no space left', 130_000),
  })
  t.same(readiness(conditions, {}, 140_000), {
    ok: false,
    text: `[-] api: not heard from the API server for 130 s: connect ECONNREFUSED
[-] node: waiting: this node has no podCIDRs yet
[+] install: in order
[+] socket: in order
[+] sysctls: in order
[+] routes: in order
[-] masquerade: failing for 12 s: nft is missing
[+] policy: in order
[+] conflist: in order
[!] sweep: failing for 10 s: no space left
not ready: api, node, masquerade
`,
  })
})

t.test('gates() lets the API server be away for two minutes, once it has been heard', async t => {
  t.equal(gates('api', fails('', 1000), 120_999), false)
  t.equal(gates('api', fails('', 1000), 121_000), true)
  t.equal(gates('api', UNTRIED, 0), true)
})

t.test('gates() never counts the sweep, and all others at once', async t => {
  for (const part of PARTS) {
    t.equal(gates(part, OK, 0), false, part)
    t.equal(gates(part, UNTRIED, 0), part !== 'sweep', part)
    t.equal(gates(part, fails(''), 0), part !== 'sweep' && part !== 'api', part)
  }
})

t.test('failing() keeps when it began, and takes the newest reason', async t => {
  const first = failing(OK, 'a', 5)
  t.same(first, { kind: 'failing', reason: 'a', since: 5 })
  t.same(failing(first, 'b', 9), { kind: 'failing', reason: 'b', since: 5 })
})

t.test('readiness() gives no reason a line of its own, whatever is in it', async t => {
  fc.assert(
    fc.property(fc.constantFrom(...PARTS), fc.string({ unit: 'binary' }), (part, reason) => {
      for (const condition of [fails(reason), { kind: 'waiting', reason } as const, OK]) {
        const { text } = readiness(all(OK, { [part]: condition }), { [part]: reason }, 0)
        const lines = text.split(/[\n\r\v\f\u0085\u2028\u2029]/)
        t.same(
          lines.slice(0, PARTS.length).map(line => /^\[[-+!]\] (\w+): /.exec(line)?.[1]),
          PARTS,
        )
        t.equal(lines.length, PARTS.length + 2)
        t.notMatch(text.replaceAll('\n', ''), /\p{Cc}/u)
      }
    }),
  )
})

t.test('liveness() holds until a round is five minutes overdue', async t => {
  t.same(liveness(1400, 60_000), { ok: true, text: 'alive: the last round ended 1 s ago\n' })
  t.equal(liveness(360_000, 60_000).ok, true)
  t.same(liveness(360_500, 60_000), {
    ok: false,
    text: 'stuck: the last round ended 361 s ago, and one is due every 60 s\n',
  })
})

t.test('seconds() is for people', async t => {
  t.equal(seconds(129_600), '130 s')
})
