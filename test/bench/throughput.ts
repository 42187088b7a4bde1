import type { Job } from './batch.ts'
import { type Figure, figure, type Unit } from './figure.ts'
import type { Folders } from './folders.ts'
import { addBridge } from './kernel.ts'
import { CONCURRENCIES, cpuOf, PODS, timeOf, type Verb } from './names.ts'
import { cpuMs, memoryMb } from './process.ts'
import { shuffle } from './shuffle.ts'
import { Stage } from './stage.ts'
import { type Attachment, bridge, callOf, linkOf, type Network, podwire, ptp, type System } from './system.ts'

/*
 * Many pods come, then all of them go: one after another, and many at once, as they do when a node is drained. With
 * the CPU time that it takes, of the daemon and of every process that is started, and their memory.
 */

/** So many rounds of the whole benchmark make one here. */
const SHARE = 34

/** One system with a network of its own. */
interface Subject {
  readonly name: string
  readonly jobOf: (verb: Verb, attachment: Attachment) => Job
  /** CPU time so far of what runs between the calls. */
  readonly served: () => number
}

/** A value to go into a figure. */
interface Measured {
  readonly name: string
  readonly system: string
  readonly unit: Unit
  readonly value: number
}

export async function throughput(folders: Folders, rounds: number): Promise<Figure[]> {
  const stage = await Stage.start(folders)
  const daemon = await stage.serve()
  const attachments = Array.from({ length: PODS }, (_, slot): Attachment => ({ netns: `pod${slot}`, slot }))
  stage.addNamespaces(attachments.map(({ netns }) => netns))
  const subjects = await settle(stage, folders, daemon)
  const measured: Measured[] = []
  for (let round = 0; round < Math.ceil(rounds / SHARE); round++)
    for (const concurrency of CONCURRENCIES)
      for (const subject of shuffle(subjects))
        measured.push(...(await comeAndGo(stage, subject, attachments, concurrency)))
  const peak = {
    name: 'memory of the daemon',
    system: 'podwire',
    unit: 'MB',
    value: memoryMb(daemon).peak,
  } as const
  await stage.close()
  // The kernel alone is no process that would use anything.
  return collect([...measured, peak].filter(({ value }) => value > 0))
}

async function settle(stage: Stage, folders: Folders, daemon: number): Promise<Subject[]> {
  const idle = (): number => 0
  const systems: [System, () => number][] = [
    [podwire('podwire', folders.launcher), () => cpuMs(daemon)],
    [podwire('standalone', folders.executable), idle],
    [bridge(folders.reference), idle],
    [ptp(folders.reference), idle],
  ]
  const alone = addBridge(stage, systems.length + 1)
  const kernel: Subject = { name: 'kernel', jobOf: (verb, pod) => linkOf(alone, verb, pod), served: idle }
  const subjects = [kernel]
  for (const [i, [system, served]] of systems.entries()) {
    const network: Network = { name: `net${i}`, place: i + 1, wish: 'plain' }
    const resident = { netns: `resident${i}`, slot: 0 }
    stage.addNamespaces([resident.netns])
    await stage.run([callOf(system, network, 'ADD', resident)])
    subjects.push({ name: system.name, jobOf: (verb, pod) => callOf(system, network, verb, pod), served })
  }
  return subjects
}

async function comeAndGo(
  stage: Stage,
  { name: system, jobOf, served }: Subject,
  attachments: readonly Attachment[],
  concurrency: number,
): Promise<Measured[]> {
  const before = served()
  const runOf = (verb: Verb) =>
    stage.run(
      attachments.map(attachment => jobOf(verb, attachment)),
      concurrency,
    )
  const [add, del] = [await runOf('ADD'), await runOf('DEL')]
  const costs = [...add.costs, ...del.costs]
  const cpu = costs.reduce((sum, cost) => sum + cost.cpuMs, served() - before) / PODS
  const memory = Math.max(...costs.map(({ memoryMb }) => memoryMb))
  const own = { system }
  return [
    { ...own, name: timeOf('ADD', concurrency), unit: 'ms', value: add.ms },
    { ...own, name: timeOf('DEL', concurrency), unit: 'ms', value: del.ms },
    { ...own, name: cpuOf(concurrency), unit: 'ms', value: cpu },
    { ...own, name: 'memory of the largest process', unit: 'MB', value: memory },
  ]
}

function collect(measured: readonly Measured[]): Figure[] {
  const groups = Map.groupBy(measured, ({ name, system }) => `${name}/${system}`)
  return [...groups.values()].map(group => {
    const { name, system, unit } = group[0]!
    const values = group.map(({ value }) => value)
    return figure('throughput', name, system, unit, values)
  })
}
