import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import type { Figure } from './figure.ts'
import type { Folders } from './folders.ts'
import { ATTACHMENTS, RESERVATIONS, type Verb, withMany } from './names.ts'
import { figuresOf, race, type Turn, turnOf } from './race.ts'
import { Stage } from './stage.ts'
import {
  type Attachment,
  bridge,
  callOf,
  dataDirOf,
  linkOf,
  type Network,
  podwire,
  type System,
} from './system.ts'

/*
 * One more pod on nodes that have few, many, and very many. Each number of attachments has a node of its own, and they
 * take turns; and so has each number of addresses that are held a network of its own, on one node.
 */

/** So many rounds of the whole benchmark make one here. */
const SHARE = { attachments: 3, reservations: 8 } as const
/**
 * Each new interface asks for an IPv6 router three times, every four seconds, and a bridge carries that to all of its
 * ports: a thousand of them keep a processor busy until they give up.
 */
const SETTLE_MS = 15_000
/** Calls at a time while a node is filled. */
const WORKERS = 4

export async function growth(folders: Folders, rounds: number): Promise<Figure[]> {
  const systems = [podwire('podwire', folders.launcher), bridge(folders.reference)]
  return [
    ...(await byAttachments(folders, systems, Math.ceil(rounds / SHARE.attachments))),
    ...(await byReservations(folders, systems, Math.ceil(rounds / SHARE.reservations))),
  ]
}

async function byAttachments(
  folders: Folders,
  systems: readonly System[],
  rounds: number,
): Promise<Figure[]> {
  const turns: Turn[] = []
  for (const system of systems)
    for (const count of ATTACHMENTS) turns.push(...(await fillNode(folders, system, count)))
  await pause(SETTLE_MS)
  await race(turns, rounds)
  for (const stage of new Set(turns.map(({ stage }) => stage))) await stage.close()
  return figuresOf('growth', turns)
}

/** A node with so many attachments of one system on one bridge; the kernel alone takes its turns there too. */
async function fillNode(folders: Folders, system: System, count: number): Promise<Turn[]> {
  const stage = await startStage(folders, system)
  const network: Network = { name: 'net', place: 1, wish: 'plain' }
  const residents = Array.from({ length: count }, (_, i): Attachment => ({ netns: `pod${i}`, slot: 0 }))
  const [guest, other] = [
    { netns: 'guest', slot: 1 },
    { netns: 'other', slot: 2 },
  ]
  stage.addNamespaces([...residents, guest, other].map(({ netns }) => netns))
  await stage.run([callOf(system, network, 'ADD', residents[0]!)])
  const rest = residents.slice(1).map((each, i) => callOf(system, network, 'ADD', { ...each, slot: i }))
  await stage.run(rest, WORKERS)
  const name = (verb: Verb): string => withMany(verb, count, 'attachments')
  return [
    turnOf(stage, system.name, name, verb => callOf(system, network, verb, guest)),
    turnOf(stage, `kernel beside ${system.name}`, name, verb => linkOf(network, verb, other)),
  ]
}

async function startStage(folders: Folders, { name }: System): Promise<Stage> {
  const stage = await Stage.start(folders)
  if (name === 'podwire') await stage.serve()
  return stage
}

async function byReservations(
  folders: Folders,
  systems: readonly System[],
  rounds: number,
): Promise<Figure[]> {
  const turns: Turn[] = []
  for (const system of systems) {
    const stage = await startStage(folders, system)
    for (const [i, count] of RESERVATIONS.entries()) {
      const network: Network = { name: `net${i}`, place: i + 1, wish: 'plain' }
      const [resident, guest] = ['resident', 'guest'].map(netns => ({ netns: `${netns}${i}`, slot: i })) as [
        Attachment,
        Attachment,
      ]
      stage.addNamespaces([resident.netns, guest.netns])
      reserve(stage, network, count)
      await stage.run([callOf(system, network, 'ADD', resident)])
      const name = (verb: Verb): string => withMany(verb, count, 'reservations')
      turns.push(turnOf(stage, system.name, name, verb => callOf(system, network, verb, guest)))
    }
  }
  await race(turns, rounds)
  for (const stage of new Set(turns.map(({ stage }) => stage))) await stage.close()
  return figuresOf('growth', turns)
}

/** Leaves addresses held as host-local does: ours reads the same files. */
function reserve(stage: Stage, network: Network, count: number): void {
  const folder = stage.path(`${dataDirOf(network)}/${network.name}`)
  mkdirSync(folder, { recursive: true })
  const addresses = Array.from(
    { length: count },
    (_, i) => `10.${network.place}.${(i + 2) >> 8}.${(i + 2) & 255}`,
  )
  addresses.forEach((address, i) =>
    writeFileSync(`${folder}/${address}`, `held${i}\r\neth0`, { mode: 0o600 }),
  )
  writeFileSync(`${folder}/last_reserved_ip.0`, addresses.at(-1)!)
}
