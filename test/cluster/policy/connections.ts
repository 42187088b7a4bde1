import type { Test } from 'tap'
import type { Stage } from '../stage.ts'
import { ALL, labels, namespaces, pods, policy } from './cases/case.ts'
import { deletePolicies } from './delete.ts'
import { inProber, nameOf, PORTS, PROBER, type Prober } from './prober.ts'
import type { Scene } from './scene.ts'
import { until } from '../../conformance/until.ts'

/** How long a daemon may take to cut what a policy forbids. */
const CUT_MS = 30_000
/** Nobody can mistake a pause for an end: so many answers a connection that goes on has meanwhile. */
const ANSWERS = 50

/** A connection that is kept busy; it writes a line for each answer. */
interface Connection {
  readonly from: Prober
  readonly to: Prober
  readonly name: string
  /** Of the process that keeps it. */
  readonly pid: string
}

/** Connections that there are when a policy comes. */
export async function testConnections(t: Test, stage: Stage, scene: Scene): Promise<void> {
  const [web, job, db] = ['shop/web', 'shop/job', 'shop/db'].map(name => scene.prober(name)) as [
    Prober,
    Prober,
    Prober,
  ]
  const others = ['lab/db', 'lab/job'].map(name => scene.prober(name))

  await t.test('a policy for ingress cuts what it forbids, and nothing else', async t => {
    const forbidden = others.flatMap(from => [web, db].map(to => [from, to] as const))
    const allowed = [[job, web] as const, [job, db] as const, [web, others[0]!] as const]
    await isCut(t, stage, { forbidden, allowed }, 'shop', {
      podSelector: ALL,
      ingress: [{ from: [pods(ALL)] }],
    })
  })

  await t.test('a policy for egress cuts what it forbids, and nothing else', async t => {
    const forbidden = [web, db].flatMap(from => others.map(to => [from, to] as const))
    const allowed = [[web, job] as const, [db, web] as const, [others[0]!, db] as const]
    await isCut(t, stage, { forbidden, allowed }, 'shop', {
      podSelector: ALL,
      policyTypes: ['Egress'],
      egress: [{ to: [namespaces(labels({ team: 'sales' }))] }],
    })
  })
}

type Pair = readonly [from: Prober, to: Prober]

/** Makes the policy while connections of both kinds are busy. Those that end must not come back either. */
async function isCut(
  t: Test,
  stage: Stage,
  pairs: { readonly forbidden: readonly Pair[]; readonly allowed: readonly Pair[] },
  namespace: string,
  spec: object,
): Promise<void> {
  const [forbidden, allowed] = await Promise.all([hold(stage, pairs.forbidden), hold(stage, pairs.allowed)])
  const all = [...forbidden, ...allowed]
  try {
    await grown(stage, all)
    await stage.apply([policy(namespace, 'cut', spec)])
    const began = performance.now()
    await stand(stage, forbidden).catch(() => {})
    const milliseconds = Math.ceil(performance.now() - began)
    const before = await count(stage, all)
    await grown(stage, allowed).catch(() => {})
    const after = await count(stage, all)
    const increase = (its: readonly Connection[]): Record<string, boolean> =>
      Object.fromEntries(its.map(each => [describe(each), after.get(each)! > before.get(each)!]))
    const every = (its: readonly Connection[], goesOn: boolean): Record<string, boolean> =>
      Object.fromEntries(its.map(each => [describe(each), goesOn]))
    t.same(
      increase(forbidden),
      every(forbidden, false),
      `${forbidden.length} are cut within ${milliseconds} ms`,
    )
    t.same(increase(allowed), every(allowed, true), `${allowed.length} go on`)
  } finally {
    await release(stage, all)
    await deletePolicies(stage)
  }
}

const describe = ({ from, name }: Connection): string => `${nameOf(from)} ${name}`

/** Starts connections of each protocol and family. */
async function hold(stage: Stage, pairs: readonly Pair[]): Promise<Connection[]> {
  const wanted = pairs.flatMap(([from, to]) =>
    stage.families.flatMap(version =>
      ['tcp', 'udp'].map(protocol => ({
        from,
        to,
        name: `${protocol}:${PORTS[0]}:${to.addresses[version]}`,
      })),
    ),
  )
  const pids = await inEach(stage, wanted, ({ name }) => {
    return `${PROBER} hold ${name} >/tmp/${name} 2>&1 </dev/null & echo $!`
  })
  return wanted.map(each => ({ ...each, pid: pids.get(each)! }))
}

const release = (stage: Stage, connections: readonly Connection[]): Promise<unknown> =>
  inEach(stage, connections, ({ pid }) => `kill ${pid} 2>/dev/null; echo`)

/** How many answers each has had. */
async function count(stage: Stage, connections: readonly Connection[]): Promise<Map<Connection, number>> {
  const lines = await inEach(stage, connections, ({ name }) => `wc -l </tmp/${name}`)
  return new Map([...lines].map(([each, line]) => [each, Number(line)]))
}

/** Waits until each has had more answers. */
async function grown(stage: Stage, connections: readonly Connection[]): Promise<void> {
  const before = await count(stage, connections)
  await until('connections to go on', async () => {
    const now = await count(stage, connections)
    return connections.every(each => now.get(each)! > before.get(each)! + ANSWERS)
  })
}

/** Waits until none has had more answers than at the last look, a second before. */
async function stand(stage: Stage, connections: readonly Connection[]): Promise<void> {
  let before = await count(stage, connections)
  const ask = async (): Promise<boolean> => {
    const now = await count(stage, connections)
    const isStill = connections.every(each => now.get(each) === before.get(each))
    before = now
    return isStill
  }
  await until('connections to end', ask, { deadline: CUT_MS, pause: 1000 })
}

/** Runs a script for each, all that are from one prober together; answers the line that each says. */
async function inEach<T extends Pick<Connection, 'from'>>(
  stage: Stage,
  connections: readonly T[],
  script: (each: T) => string,
): Promise<Map<T, string>> {
  const groups = [...Map.groupBy(connections, ({ from }) => from)]
  const said = groups.map(async ([from, its]) => {
    const lines = (await inProber(stage, from, its.map(script).join('\n'))).split('\n')
    return its.map((each, i) => [each, lines[i]!] as const)
  })
  return new Map((await Promise.all(said)).flat())
}
