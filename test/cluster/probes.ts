import type { Test } from 'tap'
import { formatIp, parseIp } from '../../ipam/core/ip.ts'
import { inPod } from './pods.ts'
import type { Stage } from './stage.ts'

/** Somebody who can call servers: a pod, a node, the world outside. */
export interface Caller {
  readonly name: string
  /** Runs a shell script there; answers its stdout. */
  readonly run: (script: string) => Promise<string>
}

/** A call and what must come of it. */
export interface Call {
  readonly from: Caller
  /** An address or a name. */
  readonly to: string
  readonly port: number
  /** Which family a name is looked up in. */
  readonly version?: number
  /** Who must answer. */
  readonly server: string
  /** Whom that server must see: the caller's address unless something translates it. Not looked at when not given. */
  readonly peer?: string | undefined
}

/** What a call came to: an answer, or '' for none. */
type Answers = Map<Call, string>

/** How long the cluster may take until all calls are answered as they must; kube-proxy needs a while for a Service. */
const DEADLINE_MS = 30_000
/** How long one call waits for its answer, in seconds. */
const PATIENCE_S = 3

export const fromPod = (stage: Stage, name: string): Caller => ({
  name,
  run: script => inPod(stage, name, script),
})

export const fromOutside = ({ cluster }: Stage): Caller => ({
  name: 'outside',
  run: script => cluster.outside(['sh', '-c', script]),
})

/**
 * Makes all calls side by side, again and again those that do not come out as they must, until all do or the deadline
 * has passed. Each is one assertion's worth: what differs is shown by caller and target.
 */
export async function comesOut(t: Test, calls: readonly Call[]): Promise<void> {
  const answers: Answers = new Map()
  const end = performance.now() + DEADLINE_MS
  let open = calls
  while (open.length > 0 && performance.now() < end) {
    for (const [call, answer] of await makeCalls(open)) answers.set(call, answer)
    open = open.filter(call => !isRight(call, answers.get(call) ?? ''))
  }
  const wrong = open.map(call => [describe(call), answers.get(call) ?? ''])
  t.same(Object.fromEntries(wrong), {}, `${calls.length} calls come out as they must`)
}

const describe = ({ from, to, port, version, server, peer }: Call): string =>
  `${from.name} calls ${to}:${port}${version === undefined ? '' : ` (IPv${version})`}, ` +
  `which must be ${server}${peer === undefined ? '' : ` and see ${peer}`}`

function isRight({ server, peer }: Call, answer: string): boolean {
  const [name, seen] = answer.split(' ')
  return name === server && (peer === undefined || seen === peer)
}

/** One script for each caller, in which all its calls run side by side. */
async function makeCalls(calls: readonly Call[]): Promise<Answers> {
  const byCaller = Map.groupBy(calls, ({ from }) => from.name)
  const parts = await Promise.all([...byCaller.values()].map(its => callFrom(its[0]!.from, its)))
  return new Map(parts.flatMap(part => [...part]))
}

async function callFrom(from: Caller, calls: readonly Call[]): Promise<Answers> {
  const lines = calls.map(({ to, port, version }, i) => {
    const family = version === undefined ? '' : `-${version}`
    return `(echo ${i} $(nc ${family} -w ${PATIENCE_S} ${to} ${port} </dev/null 2>/dev/null)) &`
  })
  const said = await from.run(`${lines.join('\n')}\nwait`).catch(() => '')
  return new Map(
    said
      .split('\n')
      .filter(line => line !== '')
      .map(line => {
        const [i, name = '', peer = ''] = line.split(' ')
        return [calls[Number(i)]!, `${name} ${plain(peer)}`.trim()]
      }),
  )
}

/** socat writes IPv6 addresses in full and in brackets, and IPv4's as mapped ones. */
function plain(peer: string): string {
  const ip = parseIp(peer.replaceAll(/[[\]]/g, ''))
  return ip === undefined ? peer : formatIp(ip)
}
