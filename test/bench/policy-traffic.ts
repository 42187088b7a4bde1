import { BRIDGE } from '../../daemon/core/conflist.ts'
import { compile } from '../../daemon/core/policy/compile.ts'
import { podKey } from '../../daemon/core/policy/objects.ts'
import { parseIp } from '../../ipam/core/ip.ts'
import { type Figure, figure, type Unit } from './figure.ts'
import type { Folders } from './folders.ts'
import { besideNone, CONNECTION, LOAD_BY_NFT, REQUEST, RULES, STREAM } from './names.ts'
import { median } from './numbers.ts'
import { placeOf, podName, podNamespace } from './pod-object.ts'
import { attachmentOf, clusterOf, WISH } from './policy-cluster.ts'
import { type Layout, ownLayout, pairsLayout } from './policy-layout.ts'
import { shuffle } from './shuffle.ts'
import { Stage } from './stage.ts'
import { podwire } from './system.ts'
import { addressOf, connect, connections, macOf, type Pair, requests, stream } from './talk.ts'

/*
 * Two pods of one node talk, with all policies loaded for them and for all others: as Podwire lays them out, as a rule for
 * each pair of pods, and not at all. The pods and the servers are the same: between rounds only the base chain comes and
 * goes that leads packets to the rules.
 */

const NAMES = ['no policy', 'podwire', 'rule per pair'] as const
type Name = (typeof NAMES)[number]
/** There is none for `no policy`. */
type Layouts = ReadonlyMap<Name, Layout>

const REQUESTS = 20_000
const CONNECTIONS = 500
/** Loading pairs takes seconds. */
const LOADS = 3
/** In the middle of all: rules before theirs are as many as rules after. */
const NAMESPACE = 10
const CLIENT = placeOf(NAMESPACE, 'web', 7)
const SERVER = placeOf(NAMESPACE, 'api', 7)
/** Nobody may call this one, and nobody answers there. */
const FORBIDDEN_PORT = 9

export async function policyTraffic(folders: Folders, rounds: number): Promise<Figure[]> {
  const stage = await Stage.start(folders)
  await stage.serve()
  const system = podwire('podwire', folders.launcher)
  // Masquerading has the kernel track connections, as on any node; without policies too, then.
  const network = { name: BRIDGE, place: 1, wish: 'masquerade', mode: 'l3', portIsolation: true } as const
  const pair = await connect(stage, folders, system, network)
  const layouts = layoutsFor(stage, pair)
  const loads = load(stage, layouts)
  mustTrack(stage, folders, pair)
  for (const name of NAMES) under(stage, layouts, name, () => mustForbid(stage, folders, pair, name))
  const talks = NAMES.map((name): Talk => ({ name, streams: [], requests: [], connections: [] }))
  for (let round = 0; round < rounds; round++)
    for (const talk of shuffle(talks))
      under(stage, layouts, talk.name, () => speak(stage, folders, pair, talk))
  await stage.close()
  return [...loads, ...figuresOf(talks)]
}

/** What the pair did in each round under one layout. */
interface Talk {
  readonly name: Name
  readonly streams: number[]
  /** Medians of the rounds. */
  readonly requests: number[]
  readonly connections: number[]
}

function speak(stage: Stage, folders: Folders, pair: Pair, talk: Talk): void {
  talk.streams.push(stream(stage, pair))
  talk.requests.push(median(requests(stage, folders, pair, REQUESTS)))
  talk.connections.push(median(connections(stage, folders, pair, CONNECTIONS)))
}

/** The rules of the cluster when two of its pods are these. */
function layoutsFor(stage: Stage, { client, server }: Pair): Layouts {
  const cluster = clusterOf(1)
  const wired = new Map<string, string>([
    [nameAt(CLIENT), client],
    [nameAt(SERVER), server],
  ])
  const pods = cluster.pods.map(pod => {
    const netns = wired.get(podKey(pod))
    return netns === undefined ? pod : { ...pod, addresses: [parseIp(addressOf(stage, netns))!] }
  })
  const attached = pods.map(pod => {
    const netns = wired.get(podKey(pod))
    return attachmentOf(pod, netns === undefined ? undefined : macOf(stage, netns))
  })
  const compiled = compile({ ...cluster, pods, attached }, WISH)
  return new Map([
    ['podwire', ownLayout(compiled)],
    ['rule per pair', pairsLayout(compiled)],
  ])
}

const nameAt = (place: number): string => `${podNamespace(place)}/${podName(place)}`

/** Loads each layout several times over. */
const load = (stage: Stage, layouts: Layouts): Figure[] =>
  [...layouts].flatMap(([name, layout]) => {
    const times = Array.from({ length: LOADS }, (_, again) => {
      if (again > 0) nft(stage, layout.unload)
      const started = performance.now()
      nft(stage, layout.load)
      return performance.now() - started
    })
    return [
      figure('traffic', RULES, name, 'count', [layout.count]),
      figure('traffic', LOAD_BY_NFT, name, 'ms', times),
    ]
  })

/**
 * Does something while packets are led to the rules of one layout, or to none. What nft does to the processors' caches just
 * before is the same for all.
 */
function under(stage: Stage, layouts: Layouts, name: Name, work: () => void): void {
  const { hook, unhook } = layouts.get(name) ?? layouts.get('podwire')!
  nft(stage, hook)
  if (name === 'no policy') nft(stage, unhook)
  work()
  if (name !== 'no policy') nft(stage, unhook)
}

const nft = (stage: Stage, script: string): void => stage.feed(script, 'nft', '-f', '-')

/** That rules are loaded is not enough: a packet that they forbid is sent. */
function mustForbid(stage: Stage, { pingpong }: Folders, { client, address }: Pair, name: Name): void {
  const call = ['timeout', '1', pingpong, 'open', address, `${FORBIDDEN_PORT}`, '1']
  const isAnswered = /refused/.test(failure(() => stage.command('ip', 'netns', 'exec', client, ...call)))
  if (isAnswered !== (name === 'no policy'))
    throw new Error(
      `Cannot compare: with ${name} a call to port ${FORBIDDEN_PORT} is ${isAnswered ? '' : 'not '}answered`,
    )
}

/** What a program that fails says. */
function failure(run: () => string): string {
  try {
    return run()
  } catch (error) {
    return (error as Error).message
  }
}

/** Without policies too the kernel is to track connections: that it does is not what policies cost. */
function mustTrack(stage: Stage, folders: Folders, pair: Pair): void {
  const count = (): number => Number(stage.command('cat', '/proc/sys/net/netfilter/nf_conntrack_count'))
  const before = count()
  connections(stage, folders, pair, CONNECTIONS)
  if (count() <= before)
    throw new Error('Cannot compare: the kernel tracks no connections between these pods')
}

function figuresOf(talks: readonly Talk[]): Figure[] {
  const base = talks.find(({ name }) => name === 'no policy')!
  return talks.flatMap(talk => {
    const both = (what: string, unit: Unit, values: readonly number[], others: readonly number[]) => [
      figure('traffic', what, talk.name, unit, values),
      figure(
        'traffic',
        besideNone(what),
        talk.name,
        'times',
        values.map((value, i) => value / others[i]!),
      ),
    ]
    return [
      ...both(STREAM, 'Gbit/s', talk.streams, base.streams),
      ...both(REQUEST, 'µs', talk.requests, base.requests),
      ...both(CONNECTION, 'µs', talk.connections, base.connections),
    ]
  })
}
