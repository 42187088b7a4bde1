/** A program to start, and what it gets on standard input. */
export interface Program {
  readonly argv: readonly string[]
  readonly input: string
}

/** Programs one after the other; each gets the result of the one before in its config, as libcni does it. */
export interface ProgramsJob {
  readonly kind: 'programs'
  /** Where the last result is kept for the next job of the same attachment. */
  readonly slot: number
  /** The first program gets no result. */
  readonly startsAnew: boolean
  readonly env: Readonly<Record<string, string>>
  readonly programs: readonly Program[]
}

/** A link that the runner makes or deletes itself: the kernel's share of an ADD or a DEL, see floor.c. */
export interface LinkJob {
  readonly kind: 'link'
  readonly slot: number
  readonly verb: 'ADD' | 'DEL'
  readonly veth: string
  readonly bridge: string
  readonly netns: string
  readonly ifname: string
  readonly address: string
  readonly gateway: string
  readonly prefix: number
}

export type Job = ProgramsJob | LinkJob

/** What a job took. Times in milliseconds. */
export interface Cost {
  readonly ms: number
  /** CPU time of its programs, and of all that they started and waited for. */
  readonly cpuMs: number
  /** Megabytes of the largest of these processes. */
  readonly memoryMb: number
}

/** What a batch took. */
export interface Run {
  /** In the order of the jobs. */
  readonly costs: readonly Cost[]
  /** From the first one's start to the last one's end. */
  readonly ms: number
}

type Field = string | number

/** The bytes for runner.c; batch.c says what they mean. */
export function encodeBatch(jobs: readonly Job[], workers: number): Buffer {
  const slots = Math.max(...jobs.map(job => job.slot)) + 1
  const fields: Field[] = [workers, slots, jobs.length, ...jobs.flatMap(fieldsOf)]
  const text = Buffer.from(fields.map(field => `${field}\0`).join(''))
  return Buffer.concat([Buffer.from(`${text.length}\n`), text])
}

function fieldsOf(job: Job): Field[] {
  if (job.kind === 'link') {
    const { kind, slot, verb, veth, bridge, netns, ifname, address, gateway, prefix } = job
    return [kind, slot, verb, veth, bridge, netns, ifname, address, gateway, prefix]
  }
  const { kind, slot, startsAnew, env, programs } = job
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`)
  return [
    kind,
    slot,
    startsAnew ? 1 : 0,
    ...list(variables),
    programs.length,
    ...programs.flatMap(programFields),
  ]
}

const programFields = ({ argv, input }: Program): Field[] => [...list(argv), input]

const list = (items: readonly string[]): Field[] => [items.length, ...items]

/** Reads what the runner says of a batch: a line for each job, and one for the whole. */
export function parseRun(lines: readonly string[]): Run {
  const numbers = lines.map(line => line.split(' ').map(Number))
  const costs = numbers.slice(0, -1).map(([nanoseconds = 0, microseconds = 0, kilobytes = 0]) => ({
    ms: nanoseconds / 1e6,
    cpuMs: microseconds / 1e3,
    memoryMb: (kilobytes * 1024) / 1e6,
  }))
  return { costs, ms: (numbers.at(-1)?.[0] ?? 0) / 1e6 }
}
