import t from 'tap'
import { ip } from '../../../../test/support/result.ts'
import type { Packet } from '../evaluate.ts'
import { type Step, type Table, walk } from './walk.ts'

/*
 * Listings in the shape that nft 1.0.6 gives them; test/daemon/explain.test.ts asks the real one.
 */

const payload = (protocol: string, field: string) => ({ payload: { protocol, field } })
const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } })
const SADDR = payload('ip', 'saddr')
const from = (set: string) => match(SADDR, `@${set}`)
const port = (right: unknown) => match(payload('tcp', 'dport'), right)
const COUNTER = { counter: { packets: 1, bytes: 60 } }
const goto = (target: string) => ({ goto: { target } })
const jump = (target: string) => ({ jump: { target } })
const vmap = (key: object, map: string) => ({ vmap: { key, data: `@${map}` } })
const [ACCEPT, DROP, RETURN] = [{ accept: null }, { drop: null }, { return: null }]

const POD = { source: ip('10.1.0.1'), destination: ip('10.1.0.2'), protocol: 'tcp', port: 80 } as const

/** A kernel with these chains, and these elements by `SET KEY`. */
const table = (
  chains: Readonly<Record<string, readonly (readonly object[])[]>>,
  elements: Readonly<Record<string, string>> = {},
): Table => ({
  chain: async name =>
    chains[name] && {
      text: name,
      json: { nftables: [{ chain: { name } }, ...chains[name].map(expr => ({ rule: { expr } }))] },
    },
  element: async (set, key) => elements[`${set} ${key}`],
})

/** What became of a packet, and what it met: `CHAIN MET [?UNCLEAR]`, `SET KEY = FOUND`. */
async function way(kernel: Table, packet: Partial<Packet> = {}, isOwn = false): Promise<string[]> {
  const found = await walk(kernel, { packet: { ...POD, ...packet }, isOwn })
  return found === undefined ? [] : [found.isAllowed ? 'passes' : 'is dropped', ...found.steps.map(short)]
}

function short(step: Step): string {
  if (step.kind === 'element') return `${step.set} ${step.key} = ${step.found ?? 'nothing'}`
  return [step.text, step.met ?? 'none', ...step.unclear.map(i => `?${i}`)].join(' ')
}

const INGRESS = [[vmap(payload('ip', 'daddr'), 'map4')], [vmap(payload('ip6', 'daddr'), 'map6')]]
const MAP = { 'map4 10.1.0.2': '10.1.0.2 comment "shop/db" : goto pod' }

t.test('walk() finds no way where there are no rules', async t => {
  t.same(await way(table({})), [])
})

t.test('walk() goes to the chain of a pod, and stops at the rule that the packet meets', async t => {
  const pod = [
    [from('some'), port(80), COUNTER, RETURN],
    [from('others'), port({ set: [{ range: [70, 90] }, 99] }), COUNTER, RETURN],
    [COUNTER, goto('policy-drop-ingress')],
  ]
  const chains = { 'policy-forward': [[jump('ingress')]], ingress: INGRESS, pod }
  const map = 'map4 10.1.0.2 = 10.1.0.2 comment "shop/db" : goto pod'
  const others = { ...MAP, 'others 10.1.0.1': '10.1.0.0/24' }
  t.same(await way(table(chains, others)), [
    'passes',
    map,
    'some 10.1.0.1 = nothing',
    'others 10.1.0.1 = 10.1.0.0/24',
    'pod 1',
  ])
  t.same(await way(table(chains, MAP)), [
    'is dropped',
    map,
    'some 10.1.0.1 = nothing',
    'others 10.1.0.1 = nothing',
    'pod 2',
  ])
  t.same(await way(table(chains)), ['passes', 'map4 10.1.0.2 = nothing'])
  t.same(await way(table(chains, { 'map4 10.1.0.2': '10.1.0.2 : goto policy-drop-ingress' })), [
    'is dropped',
    'map4 10.1.0.2 = 10.1.0.2 : goto policy-drop-ingress',
  ])
})

/** Whether a rule with these matches is met: `yes`, `no` or `unclear`. */
async function isMet(
  matches: readonly object[],
  packet: Partial<Packet> = {},
  isOwn = false,
): Promise<string> {
  const [, step = 'no'] = await way(table({ 'policy-forward': [[...matches, ACCEPT]] }), packet, isOwn)
  return step === 'policy-forward 0' ? 'yes' : step === 'policy-forward none ?0' ? 'unclear' : step
}
const V6 = { source: ip('fd00::1'), destination: ip('fd00::2') }

t.test('walk() compares ports in every way that nft writes them', async t => {
  for (const right of [
    80,
    '80',
    { range: [80, 81] },
    { set: [1, 80] },
    { set: [1, { range: [2, 80] }] },
    [80],
  ])
    t.equal(await isMet([port(right)]), 'yes', JSON.stringify(right))
  for (const right of [8, { range: [81, 90] }, { set: [1, { range: [2, 79] }] }])
    t.equal(await isMet([port(right)]), 'no', JSON.stringify(right))
  t.equal(await isMet([match(payload('th', 'dport'), 80)]), 'yes')
  t.equal(await isMet([match(payload('udp', 'dport'), 80)]), 'no')
  t.equal(await isMet([port(80)], { protocol: 'udp' }), 'no')
  const way = { concat: [SADDR, payload('udp', 'sport')] }
  t.equal(await isMet([match(way, '@echoes')], { protocol: 'udp' }), 'no', 'it answers nobody')
  t.equal(await isMet([match({ meta: { key: 'l4proto' } }, 'tcp')]), 'yes')
  t.equal(await isMet([match({ meta: { key: 'l4proto' } }, 'udp', '!=')]), 'yes')
})

t.test('walk() tells the families apart', async t => {
  t.equal(await isMet([match(SADDR, '10.1.0.1')]), 'yes')
  t.equal(await isMet([match(SADDR, '10.1.0.1')], V6), 'no')
  t.equal(await isMet([match(payload('ip6', 'saddr'), 'fd00::1')], V6), 'yes')
  t.equal(await isMet([match({ meta: { key: 'nfproto' } }, 'ipv6')], V6), 'yes')
  t.same(await way(table({ 'policy-forward': INGRESS }), V6), ['passes', 'map6 fd00::2 = nothing'])
})

t.test('walk() asks a set for several parts together', async t => {
  const parts = [payload('ip', 'daddr'), { meta: { key: 'l4proto' } }, payload('th', 'dport')]
  const rule = match({ concat: parts }, '@ports')
  t.equal(await isMet([rule]), 'ports 10.1.0.2 . tcp . 80 = nothing')
  t.equal(await isMet([rule], V6), 'no')
  t.equal(await isMet([match({ concat: [...parts, payload('ip', 'ttl')] }, '@ports')]), 'unclear')
})

t.test('walk() takes the packet for the first of its connection', async t => {
  const state = { ct: { key: 'state' } }
  t.equal(await isMet([match(state, ['established', 'related'], 'in')]), 'no')
  t.equal(await isMet([match(state, { set: ['new'] }, 'in')]), 'yes')
  const flags = { '&': [payload('tcp', 'flags'), { '|': ['fin', 'syn', 'rst', 'ack'] }] }
  t.equal(await isMet([match(flags, 'syn', '!=')]), 'no')
  t.equal(await isMet([match(flags, 'syn')]), 'yes')
  t.equal(await isMet([match(flags, 'syn', '!=')], { protocol: 'sctp' }), 'no')
  const chunk = { payload: { base: 'th', offset: 96, len: 8 } }
  t.equal(await isMet([match(chunk, 1, '!=')], { protocol: 'sctp' }), 'no')
  t.equal(await isMet([match(chunk, 1, '!=')]), 'unclear')
})

t.test('walk() knows what the node itself sends', async t => {
  const rule = [
    match({ meta: { key: 'iif' } }, '0'),
    match({ fib: { result: 'type', flags: ['saddr'] } }, 'local'),
  ]
  t.equal(await isMet(rule, {}, true), 'yes')
  t.equal(await isMet(rule), 'no')
  t.equal(await isMet(rule.slice(1)), 'no')
})

t.test('walk() says what it does not understand, and goes on', async t => {
  const odd = match({ meta: { key: 'mark' } }, 1)
  t.equal(await isMet([odd]), 'unclear')
  t.equal(await isMet([match(payload('tcp', 'seq'), 80)]), 'unclear')
  t.equal(await isMet([match({ fib: { result: 'type', flags: ['daddr'] } }, 'local')]), 'unclear')
  t.equal(await isMet([odd, port(81)]), 'no')
  t.equal(await isMet([match(SADDR, '@some', '!=')]), 'unclear')
  t.equal(await isMet([match(SADDR, '10.1.0.1', '<')]), 'unclear')
  const chains = {
    'policy-forward': [
      [odd, ACCEPT],
      [COUNTER, DROP],
    ],
  }
  t.same(await way(table(chains)), ['is dropped', 'policy-forward 1 ?0'])
})

t.test('walk() follows jumps and returns', async t => {
  const chains = {
    'policy-forward': [[COUNTER], [jump('side')], [goto('end')], [DROP]],
    side: [[RETURN], [DROP]],
    end: [[port(81), DROP]],
  }
  t.same(await way(table(chains)), ['passes', 'side 0'])
  t.same(await way(table({ ...chains, side: [[ACCEPT]] })), ['passes', 'side 0'])
  t.same(await way(table(chains), { port: 81 }), ['is dropped', 'side 0', 'end 0'])
})

t.test('walk() says when a chain goes while it looks', async t => {
  await t.rejects(way(table({ 'policy-forward': [[jump('gone')]] })), {
    message: 'Cannot follow the rules: chain gone has gone meanwhile; ask again',
  })
})
