import { setTimeout as pause } from 'node:timers/promises'
import type { Job } from './batch.ts'
import { type Figure, figure } from './figure.ts'
import type { Folders } from './folders.ts'
import { addBridge } from './kernel.ts'
import { FIRST, FIRST_ADDS } from './names.ts'
import { figuresOf, race, type Turn, turnOf } from './race.ts'
import { shuffle } from './shuffle.ts'
import { Stage } from './stage.ts'
import {
  type Attachment,
  bridge,
  callOf,
  linkOf,
  type Network,
  podwire,
  ptp,
  type System,
  type Wish,
} from './system.ts'

/*
 * ADD and DEL, one after another: every system wires one pod and takes it down again, turn by turn.
 */

const WISHES: Readonly<Record<Wish, string>> = {
  plain: '',
  masquerade: ' with masquerade',
  hostPort: ' with a host port',
}
/** So many rounds of the benchmark make one with a rest. */
const REST_SHARE = 5
const REST_MS = 1000

export async function latency(folders: Folders, rounds: number): Promise<Figure[]> {
  const stage = await Stage.start(folders)
  await stage.serve()
  const fast = podwire('podwire', folders.launcher)
  const reference = bridge(folders.reference)
  const standalone = podwire('standalone', folders.executable)
  const first = await firstAdds(stage, fast)
  const turns = [kernelAlone(stage), bareStart(stage)]
  for (const system of [fast, standalone, reference, ptp(folders.reference)])
    for (const wish of Object.keys(WISHES) as Wish[])
      turns.push(await settle(stage, system, wish, turns.length + 1))
  await race(turns, rounds)
  const rested = turns
    .filter(({ system, calls }) => calls[0]?.name === 'ADD' && ['podwire', 'bridge'].includes(system))
    .map(afterRest)
  for (let round = 0; round < Math.ceil(rounds / REST_SHARE); round++)
    for (const turn of shuffle(rested)) await rest(turn)
  await stage.close()
  return [
    ...figuresOf('latency', [...turns, ...rested]),
    figure('latency', FIRST_ADDS, 'podwire', 'ms', first),
  ]
}

/** The very first ADDs that a daemon gets. */
async function firstAdds(stage: Stage, system: System): Promise<number[]> {
  const network: Network = { name: 'first', place: 254, wish: 'plain' }
  const attachments = Array.from({ length: FIRST }, (_, slot): Attachment => ({
    netns: `first${slot}`,
    slot,
  }))
  stage.addNamespaces(attachments.map(({ netns }) => netns))
  const { costs } = await stage.run(attachments.map(each => callOf(system, network, 'ADD', each)))
  await stage.run(attachments.map(each => callOf(system, network, 'DEL', each)))
  return costs.map(({ ms }) => ms)
}

function kernelAlone(stage: Stage): Turn {
  const network = addBridge(stage, 253)
  const attachment = { netns: 'kernel', slot: 0 }
  stage.addNamespaces([attachment.netns])
  return turnOf(
    stage,
    'kernel',
    verb => verb,
    verb => linkOf(network, verb, attachment),
  )
}

/** What the executable cannot be faster than. */
function bareStart(stage: Stage): Turn {
  const programs = [{ argv: [process.execPath, '-e', '0'], input: '' }]
  const job: Job = { kind: 'programs', slot: 0, startsAnew: true, env: {}, programs }
  return { stage, system: 'standalone', calls: [{ name: 'node -e 0', job, times: [] }] }
}

/** A network with a pod that stays: a node has pods already when the next one comes. */
async function settle(stage: Stage, system: System, wish: Wish, place: number): Promise<Turn> {
  const network: Network = { name: `net${place}`, place, wish }
  const resident = { netns: `resident${place}`, slot: 0 }
  const guest = { netns: `guest${place}`, slot: place }
  stage.addNamespaces([resident.netns, guest.netns])
  await stage.run([callOf(system, network, 'ADD', resident)])
  return turnOf(
    stage,
    system.name,
    verb => verb + WISHES[wish],
    verb => callOf(system, network, verb, guest),
  )
}

/** The same calls, to be timed when nothing has happened for a while: on a node pods seldom come in a row. */
const afterRest = ({ stage, system, calls }: Turn): Turn => ({
  stage,
  system,
  calls: calls.map(({ name, job }) => ({ name: `${name} after a second of rest`, job, times: [] })),
})

async function rest({ stage, calls }: Turn): Promise<void> {
  await pause(REST_MS)
  const { costs } = await stage.run(calls.map(({ job }) => job))
  for (const [i, { times }] of calls.entries()) times.push(costs[i]!.ms)
}
