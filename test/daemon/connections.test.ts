import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import {
  type Connection,
  deleteConnection,
  dumpConnections,
  parseConnection,
} from '../../cni/core/netlink/conntrack.ts'
import { dumpElements, parseElement, splitElements } from '../../cni/core/netlink/element.ts'
import { decodeFields, formatFields } from '../../cni/core/netlink/field.ts'
import { dumpSets } from '../../cni/core/netlink/set.ts'
import { forgetConnections } from '../../cni/edge/connections.ts'
import { libc } from '../../cni/edge/libc.ts'
import { dump, dumpAside, netfilter } from '../../cni/edge/netfilter.ts'
import { ownAddresses } from '../../cni/edge/own-addresses.ts'
import { compile } from '../../daemon/core/policy/compile.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'
import { cutConnections } from '../../daemon/edge/connections.ts'
import { loadPolicy, policyDifferences } from '../../daemon/edge/policy-table.ts'
import { FAMILIES, formatIp } from '../../ipam/core/ip.ts'
import { cluster } from '../support/policy-objects.ts'
import { ip } from '../support/result.ts'

/*
 * Which connections a kernel forgets. All addresses are on one node: to the kernel's memory of connections it is all the
 * same where they are.
 */

// CLONE_NEWNET: the connections are those of the process's own namespace.
if (libc().unshare(0x40000000) !== 0) throw new Error('Cannot make a network namespace')

const ENDS = [
  { word: 'ip', a: '10.1.0.1', b: '10.1.0.2', c: '10.1.0.3', service: '10.96.0.1' },
  { word: 'ip6', a: 'fd00::1', b: 'fd00::2', c: 'fd00::3', service: 'fd00:96::1' },
] as const
const PORT = 7000

const SET_UP = [
  'ip link set lo up',
  ...ENDS.flatMap(({ a, b, c }) => [a, b, c].map(each => `ip address add ${each} dev lo`)),
  ...ENDS.map(({ service }) => `ip address add ${service} dev lo`),
  'nft add table inet services',
  'nft "add chain inet services output { type nat hook output priority -100; }"',
  ...ENDS.map(
    ({ word, service, b }) => `nft add rule inet services output ${word} daddr ${service} dnat to ${b}`,
  ),
]
execFileSync('sh', ['-ec', SET_UP.join('\n')])

// What has lost its translation never hears of its end, and nobody is to wait for it.
const server = createServer(socket =>
  socket
    .on('error', () => {})
    .unref()
    .resume(),
).unref()
await once(server.listen(PORT, '::'), 'listening')

/** Opens a TCP connection that stays until the test ends. */
async function open(t: Test, from: string, to: string): Promise<Socket> {
  const socket = connect({ host: to, port: PORT, localAddress: from })
  // A connection that says goodbye would come back to the kernel's memory with that.
  t.teardown(() => once(socket.resetAndDestroy(), 'close'))
  await once(socket, 'connect')
  return socket
}

/** Sends a UDP packet, to which nobody answers. */
async function send(from: string, to: string, port = PORT, fromPort = 0): Promise<void> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4')
  await new Promise<void>(resolve => void socket.bind(fromPort, from, resolve))
  await new Promise<void>((resolve, reject) =>
    socket.send('?', port, to, error => (error ? reject(error) : resolve())),
  )
  socket.close()
}

const all = (): Connection[] =>
  FAMILIES.flatMap(family => dump(dumpConnections(family))).flatMap(({ body }) => parseConnection(body) ?? [])

const WORDS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' }
/** A connection as `PROTOCOL FROM > TO`, where TO is whom it reached. */
const show = ({ protocol, original, reply }: Connection): string =>
  `${WORDS[protocol]} ${formatIp(original.source)} > ${formatIp(reply.source)}`
const listed = (): string[] => all().map(show).toSorted()

/** Connections of both protocols and families among three pods, some by a Service; those that earlier tests left are gone. */
async function talk(t: Test): Promise<string[]> {
  for (const connection of all()) netfilter().request(deleteConnection(connection))
  for (const { a, b, c, service } of ENDS) {
    for (const [from, to] of [
      [a, b],
      [b, c],
      [c, a],
      [a, service],
    ] as const) {
      await open(t, from, to)
      await send(from, to)
    }
  }
  return listed()
}

/** The same list without those from or to some addresses. */
const without = (connections: readonly string[], ...gone: readonly string[]): string[] =>
  connections.filter(text => !text.split(' ').some(word => gone.includes(word)))

t.test('the connections of the stage are these', async t => {
  t.same(
    await talk(t),
    ENDS.flatMap(({ a, b, c }) =>
      ['tcp', 'udp'].flatMap(protocol =>
        [`${a} > ${b}`, `${a} > ${b}`, `${b} > ${c}`, `${c} > ${a}`].map(ends => `${protocol} ${ends}`),
      ),
    ).toSorted(),
  )
})

t.test(
  'forgetConnections() forgets what an address has begun, and what reached it, also by a Service',
  async t => {
    const before = await talk(t)
    const { b } = ENDS[0]
    await forgetConnections([ip(b)])
    const after = listed()
    t.same(after, without(before, b))
    t.equal(after.length, before.length - 6)
  },
)

t.test('forgetConnections() forgets those of both families, and of many addresses', async t => {
  const before = await talk(t)
  const own = ENDS.flatMap(({ c }) => ip(c))
  const others = Array.from({ length: 20 }, (_, i) => [ip(`10.2.0.${i}`), ip(`fd00:2::${i}`)]).flat()
  await forgetConnections([...others, ...own])
  const rest = without(before, ...ENDS.map(({ c }) => c))
  t.same(listed(), rest)
  t.equal(rest.length, 8)
  await forgetConnections([...others, ...own])
  await forgetConnections([])
  t.same(listed(), rest, 'nothing is left to forget')
})

t.test('a connection that was forgotten begins anew with its next packet', async t => {
  await talk(t)
  const [{ a, b }] = ENDS
  const socket = await open(t, a, b)
  await forgetConnections([ip(a)])
  t.notOk(listed().includes(`tcp ${a} > ${b}`))
  await new Promise(resolve => void socket.write('?', resolve))
  t.ok(listed().includes(`tcp ${a} > ${b}`))
})

t.test(
  'cutConnections() cuts what is not allowed of what was begun by pods or reached them, and counts',
  async t => {
    const before = await talk(t)
    const pods = {
      egress: new Set(ENDS.map(({ a }) => a)),
      ingress: new Set(ENDS.map(({ c }) => c)),
    }
    const asked: string[] = []
    const cut = await cutConnections(pods, connection => {
      asked.push(show(connection))
      return connection.protocol === 17
    })
    const judged = ENDS.flatMap(({ a, b, c }) => [`${a} > ${b}`, `${b} > ${c}`])
    t.same(new Set(asked), new Set(judged.flatMap(ends => [`tcp ${ends}`, `udp ${ends}`])))
    t.same(
      listed(),
      before.filter(text => !judged.some(ends => text === `tcp ${ends}`)),
    )
    t.equal(cut, 6)
  },
)

t.test('cutConnections() finds those of either family among thousands', async t => {
  const before = await talk(t)
  const socket = createSocket('udp4')
  for (let port = 10_000; port < 14_000; port += 1)
    await new Promise<void>(resolve => socket.send('?', port, '127.0.0.1', () => resolve()))
  socket.close()
  for (const { a } of ENDS)
    t.equal(await cutConnections({ egress: new Set([a]), ingress: new Set() }, () => false), 4)
  const begun = ENDS.map(({ a }) => ` ${a} > `)
  const rest = before.filter(text => !begun.some(start => text.includes(start)))
  t.same(
    listed().filter(text => !text.includes('127.0.0.1')),
    rest,
  )
})

t.test('cutConnections() is asked about ports and addresses before and after translation', async t => {
  await talk(t)
  const [{ a, b, service }] = ENDS
  const asked: Connection[] = []
  await cutConnections({ egress: new Set([a]), ingress: new Set() }, connection => {
    asked.push(connection)
    return true
  })
  const translated = asked.filter(({ original }) => formatIp(original.destination) === service)
  t.same(
    translated
      .sort((one, other) => one.protocol - other.protocol)
      .map(({ protocol, original, reply }) => ({
        protocol,
        source: formatIp(original.source),
        port: original.destinationPort,
        reached: formatIp(reply.source),
        at: reply.sourcePort,
      })),
    [6, 17].map(protocol => ({ protocol, source: a, port: PORT, reached: b, at: PORT })),
  )
})

t.test('one that ends meanwhile is no failure', async t => {
  const before = await talk(t)
  const [{ a }] = ENDS
  const cut = await cutConnections({ egress: new Set([a]), ingress: new Set() }, connection => {
    netfilter().request(deleteConnection(connection))
    return false
  })
  t.equal(cut, 4)
  t.equal(listed().length, before.length - 4)
})

t.test('several searches at once take turns', async t => {
  const before = await talk(t)
  const [{ a, b, c }] = ENDS
  const nothing = { egress: new Set([a]), ingress: new Set([b]) }
  const [, cut] = await Promise.all([
    forgetConnections([ip(c)]),
    cutConnections(nothing, () => true),
    forgetConnections([ip(b)]),
  ])
  t.equal(cut, 0)
  t.same(listed(), without(before, b, c))
})

t.test('to list the table nobody waits until thousands of connections are listed', async t => {
  await talk(t)
  const [{ a, b }] = ENDS
  for (let port = 10_000; port < 12_000; port += 1) await send(a, b, port)
  const connections = dumpAside(dumpConnections(), () => 'a connection')
  const sets = dumpAside(dumpSets(), () => 'a set').then(() => ['the table'])
  t.same(await Promise.race([connections, sets]), ['the table'])
  t.ok((await connections).length > 2_000)
})

t.test('cutConnections() keeps answers to flows of UDP from beginning others', async t => {
  const rules = compile(cluster({}), { node: 'n1', unknownPods: 'closed', log: false })
  await loadPolicy({ env: process.env }, rules)
  await talk(t)
  for (const { a } of ENDS) await cutConnections({ egress: new Set([a]), ingress: new Set() }, () => false)
  for (const [i, { a, b }] of ENDS.entries()) {
    const ways = keysOf(`policy-echoes${FAMILIES[i]!.version}`, rules)
    t.equal(ways.length, 2, 'one to a pod, and one by a Service')
    for (const way of ways) t.match(way, new RegExp(`^${b} \\. ${PORT} \\. ${a} \\. \\d+$`))
  }
  t.same(await policyDifferences(rules), [], 'which is no change of the rules')
})

/** What is in a set of the table, as nft writes it. */
const keysOf = (set: string, { sets }: RuleSet): string[] =>
  dump(dumpElements(set))
    .flatMap(({ body }) => splitElements(body))
    .map(bytes => formatFields(decodeFields(sets.get(set)!.key, parseElement(bytes)!.key)!))

t.test('ownAddresses() are those of the node', async t => {
  const own = ENDS.flatMap(({ a, b, c, service }) => [a, b, c, service])
  t.same([...ownAddresses()].toSorted(), [...own, '127.0.0.1', '::1'].toSorted())
})
