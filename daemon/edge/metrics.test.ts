import t from 'tap'
import { IPV4, IPV6 } from '../../ipam/core/ip.ts'
import type { Log } from '../core/log.ts'
import { Metrics, type Sources } from './metrics.ts'

const SOURCES: Sources = {
  addresses: () => [
    { family: IPV4, used: 3, free: 250n },
    { family: IPV6, used: 3, free: 2n ** 64n - 5n },
  ],
  attachments: () => 3,
  routes: version => ({ wanted: version, present: version - 1 }),
  nodes: () => 5,
  unroutableNodes: () => 1,
  apiSilence: () => 1.5,
  policy: () => ({ policies: 7, isolatedPods: 4, elements: 50 }),
  dropped: () => [{ namespace: 'shop', pod: 'db', direction: 'ingress', packets: 12 }],
}

function metrics(sources: Partial<Sources> = {}, debug: Log['debug'] = () => {}) {
  const log = { debug, info: debug, warn: debug, error: debug }
  return new Metrics('1.2.3', { ...SOURCES, ...sources }, log)
}

/** The lines of ours that are no comments. */
const ours = async (of: Metrics) => (await of.text()).split('\n').filter(line => line.startsWith('podwire_'))

t.test('Metrics reads how things are when it is asked', async t => {
  let used = 3
  const all = metrics({ addresses: () => [{ family: IPV4, used, free: 250n }] })
  t.ok((await ours(all)).includes('podwire_addresses_used{family="ipv4"} 3'))
  used = 4
  t.ok((await ours(all)).includes('podwire_addresses_used{family="ipv4"} 4'))
})

t.test('Metrics counts from zero, in seconds, with a label for each kind', async t => {
  const all = metrics()
  all.reconciled('full', 250)
  all.reconciled('full', 500)
  all.failed('routes')
  all.swept(2)
  all.called({ command: 'ADD', code: 0, milliseconds: 2 })
  all.policyTimed('compile', 4)
  all.cut(3)
  const lines = (await ours(all)).filter(line => !line.includes('_bucket'))
  t.same(lines, [
    'podwire_reconciles_total{kind="full"} 2',
    'podwire_reconciles_total{kind="change"} 0',
    'podwire_reconcile_duration_seconds_sum{kind="full"} 0.75',
    'podwire_reconcile_duration_seconds_count{kind="full"} 2',
    'podwire_reconcile_duration_seconds_sum{kind="change"} 0',
    'podwire_reconcile_duration_seconds_count{kind="change"} 0',
    'podwire_call_duration_seconds_sum{command="ADD",code="0"} 0.002',
    'podwire_call_duration_seconds_count{command="ADD",code="0"} 1',
    ...['api', 'node', 'install', 'socket', 'sysctls'].map(part => `podwire_errors_total{part="${part}"} 0`),
    'podwire_errors_total{part="routes"} 1',
    ...['masquerade', 'policy', 'conflist', 'sweep'].map(part => `podwire_errors_total{part="${part}"} 0`),
    'podwire_policy_duration_seconds_sum{step="compile"} 0.004',
    'podwire_policy_duration_seconds_count{step="compile"} 1',
    'podwire_policy_duration_seconds_sum{step="apply"} 0',
    'podwire_policy_duration_seconds_count{step="apply"} 0',
    'podwire_policy_cut_connections_total 3',
    'podwire_policy_unknown_pods_total 0',
    'podwire_sweeps_total 1',
    'podwire_swept_attachments_total 2',
    'podwire_build_info{version="1.2.3"} 1',
    'podwire_addresses_used{family="ipv4"} 3',
    'podwire_addresses_used{family="ipv6"} 3',
    'podwire_addresses_free{family="ipv4"} 250',
    'podwire_addresses_free{family="ipv6"} 18446744073709552000',
    'podwire_routes_wanted{family="ipv4"} 4',
    'podwire_routes_wanted{family="ipv6"} 6',
    'podwire_routes_present{family="ipv4"} 3',
    'podwire_routes_present{family="ipv6"} 5',
    'podwire_attachments 3',
    'podwire_nodes 5',
    'podwire_nodes_unroutable 1',
    'podwire_api_silence_seconds 1.5',
    'podwire_policies 7',
    'podwire_policy_pods 4',
    'podwire_policy_set_elements 50',
    'podwire_policy_dropped_packets_total{namespace="shop",pod="db",direction="ingress"} 12',
  ])
})

t.test('Metrics leaves out what cannot be read or is not known, and tells the rest', async t => {
  const said: string[] = []
  const broken = () => {
    throw new Error('the store is locked')
  }
  const all = metrics({ attachments: broken, addresses: broken, apiSilence: () => undefined }, (_, message) =>
    said.push(message),
  )
  const lines = await ours(all)
  t.notOk(lines.some(line => /^podwire_(attachments|addresses|api)/.test(line)))
  t.ok(lines.includes('podwire_nodes 5'))
  t.ok(said.includes('Cannot read podwire_attachments for /metrics: the store is locked'))
})

t.test('Metrics keeps nothing of a family that is gone', async t => {
  let families = [IPV4, IPV6]
  const all = metrics({ addresses: () => families.map(family => ({ family, used: 0, free: 1n })) })
  await all.text()
  families = [IPV4]
  t.notMatch(await all.text(), /addresses_used\{family="ipv6"\}/)
})

t.test('Metrics tells of its process by the usual names, and two do not mix', async t => {
  const text = await metrics().text()
  for (const line of [
    /^process_cpu_seconds_total \d+(\.\d+)?$/m,
    /^process_resident_memory_bytes [1-9]\d{6,}$/m,
    /^process_start_time_seconds \d{10}(\.\d+)?$/m,
    /^process_open_fds [1-9]\d*$/m,
  ])
    t.match(text, line)
  const [one, other] = [metrics(), metrics()]
  one.failed('api')
  t.ok((await ours(other)).includes('podwire_errors_total{part="api"} 0'))
  t.match(one.contentType, /^text\/plain; version=0\.0\.4/)
})

t.test('Metrics names everything as Prometheus wants it', async t => {
  const text = await metrics().text()
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name!, type!]))
  t.ok(types.size > 15)
  for (const [name, type] of types) {
    t.match(name, /^(podwire|process)_[a-z_]+$/)
    t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
    t.match(text, new RegExp(`^# HELP ${name} [A-Z]`, 'm'))
  }
})
