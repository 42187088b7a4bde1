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
export const CONNECTION = 'new TCP connection'
/** The same as a multiple of what it was without any policy in the same round. */
export const besideNone = (name: string): string => `${name}, as a multiple of no policy`
/** The same as a multiple of what ptp had in the same round. */
export const besidePtp = (name: string): string => `${name}, as a multiple of ptp`

/** The benchmark for policies: rules in the kernel, and how long nft takes for them. */
export const RULES = 'rules'
export const LOAD_BY_NFT = 'loaded by nft'
export const COMPILED = 'compiled'
export const LOADED = 'loaded'
export const BOTH = 'compiled and loaded'
/** So many pods of the cluster are on this node. */
export const withPods = (name: string, pods: number): string =>
  `${name}, ${pods.toLocaleString('en')} pods on this node`

/** Changes of one pod, in the order in which they are made. */
export const POD_CHANGES = ['a pod comes', 'a pod has other labels', 'a pod goes'] as const
export type PodChange = (typeof POD_CHANGES)[number]
export const POLICY_CHANGES = ['a policy comes', 'a policy goes'] as const
export type Change = PodChange | (typeof POLICY_CHANGES)[number]
export const fromAnswer = (change: Change): string => `${change}, from the API server's answer`
export const fromRequest = (change: Change): string => `${change}, from the request`
export const START = 'start to all rules in force'
export const MEMORY = 'memory after the start'
export const MEMORY_FILE = 'of which pages of the program'
export const MEMORY_PEAK = 'memory at most'

/** Systems in the order in which people read of them. */
export const SYSTEMS = [
  'no policy',
  'podwire',
  'podwire l2',
  'podwire l3',
  'standalone',
  'bridge',
  'ptp',
  'rule per pair',
] as const
/** What these names stand for. */
export const LEGEND = `podwire: launcher and daemon. standalone: the executable alone. bridge: bridge + host-local, with portmap where there
is a host port. ptp: ptp + host-local + portmap, as kind has it. kernel: the same netlink messages and nothing else.`
