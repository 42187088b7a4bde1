/** Names of figures, and the numbers in them: who measures and who judges must mean the same. */

/** How many pods come and go at once. */
export const PODS = 100
/** How many calls are under way at a time. */
export const CONCURRENCIES = [1, 10, 50] as const
/** How many attachments a node has before the one that is measured. */
export const ATTACHMENTS = [10, 100, 1000] as const
/** How many addresses of a network are held before. */
export const RESERVATIONS = [10, 1000, 60_000] as const
/** The first calls of a daemon that has just been started. */
export const FIRST = 20

export const VERBS = ['ADD', 'DEL'] as const
export type Verb = (typeof VERBS)[number]

export const FIRST_ADDS = `first ${FIRST} ADDs`

const atATime = (concurrency: number): string =>
  concurrency === 1 ? 'one at a time' : `${concurrency} at a time`

/** The time that all pods take. */
export const timeOf = (verb: Verb, concurrency: number): string => `${PODS} ${verb}s, ${atATime(concurrency)}`

/** The CPU time of one pod, ADD and DEL. */
export const cpuOf = (concurrency: number): string => `CPU a pod, ${atATime(concurrency)}`

/** An operation when there are so many of something already. */
export const withMany = (verb: Verb, count: number, what: 'attachments' | 'reservations'): string =>
  `${verb} with ${count.toLocaleString('en')} ${what}`

export const STREAM = 'TCP throughput'
export const REQUEST = 'TCP request and answer'
/** The same as a multiple of what ptp had in the same round. */
export const besidePtp = (name: string): string => `${name}, as a multiple of ptp`

/** Systems in the order in which people read of them. */
export const SYSTEMS = ['podwire', 'podwire l2', 'podwire l3', 'standalone', 'bridge', 'ptp'] as const
/** What these names stand for. */
export const LEGEND = `podwire: launcher and daemon. standalone: the executable alone. bridge: bridge + host-local, with portmap where there
is a host port. ptp: ptp + host-local + portmap, as kind has it. kernel: the same netlink messages and nothing else.`
