import { CniError } from '../spec/error.ts'
import type { Reader } from '../spec/read.ts'

/** What a runtime or a config asks of one direction, in its units. */
export interface Limit {
  /** Bits per second. */
  readonly rate: number
  /** Bits that may pass at once. */
  readonly burst: number
}

/** The limits of an attachment, seen from the container; undefined where there is none. */
export interface Bandwidth {
  /** What goes to the container. */
  readonly ingress: Limit | undefined
  /** What comes from it. */
  readonly egress: Limit | undefined
}

/** A limit as the kernel's token bucket filter takes it (tc-tbf(8)). */
export interface TokenBucket {
  /** Bytes per second. */
  readonly rate: number
  /** Bytes that the bucket holds. */
  readonly burst: number
  /** Bytes that may wait for tokens; what comes on top of them is dropped. */
  readonly limit: number
}

/** Go's uint64, in which the reference keeps rates and bursts; a number of JSON is rounded there. */
const MAX_BITS = 2 ** 64
const MAX_U32 = 2 ** 32 - 1
/** The latency of the reference plugin. */
const LATENCY_S = 0.025
/** Ethernet's header and a VLAN tag, which the kernel counts to a packet of the MTU's length. */
const FRAME_BYTES = 14 + 4

const KEYS = ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst']

/**
 * Reads the keys of the reference plugin `bandwidth`. As there, the config's own win: where it has any, what the runtime
 * sent as `runtimeConfig.bandwidth` counts for nothing. 0 is no limit, as Go programs write it. Throws `invalid-config`.
 */
export function parseBandwidth(keys: Reader): Bandwidth {
  const isOwn = KEYS.some(key => keys.value(key) !== undefined)
  const source = isOwn ? keys : keys.object('runtimeConfig').object('bandwidth').inAnyCase()
  return {
    ingress: readLimit(source, 'ingressRate', 'ingressBurst'),
    egress: readLimit(source, 'egressRate', 'egressBurst'),
  }
}

function readLimit(keys: Reader, rateKey: string, burstKey: string): Limit | undefined {
  const rate = keys.integer(rateKey, 0, MAX_BITS) ?? 0
  const burst = keys.integer(burstKey, 0, MAX_BITS) ?? 0
  if (rate === 0 && burst === 0) return undefined
  if (burst === 0) throw alone(keys.path(rateKey), keys.path(burstKey))
  if (rate === 0) throw alone(keys.path(burstKey), keys.path(rateKey))
  if (Math.floor(burst / 8) < MAX_U32) return { rate, burst }
  throw new CniError(
    'invalid-config',
    `Cannot use "${keys.path(burstKey)}": ${burst}; the kernel counts fewer than ${MAX_U32 * 8} bits`,
  )
}

const alone = (key: string, missing: string): CniError =>
  new CniError('invalid-config', `Cannot use "${key}" without "${missing}": set both, or neither`)

/**
 * The bucket of a limit, for packets of up to `mtu` bytes. Its burst is at most 2^32-1 ns of the rate, some 4.3 s: the
 * reference hands the kernel a time in place of bytes, which ends there (net/sched/sch_tbf.c), and runtimes that send a
 * burst of 2^32-1 bits count on it. It is at least one packet: a smaller bucket would let none pass.
 */
export function tokenBucket({ rate, burst }: Limit, mtu: number): TokenBucket {
  const bytesPerSecond = Math.max(1, Math.floor(rate / 8))
  const longest = Math.floor((bytesPerSecond * MAX_U32) / 1e9)
  const bytes = Math.max(mtu + FRAME_BYTES, Math.min(Math.floor(burst / 8), longest))
  const limit = Math.min(MAX_U32, Math.floor(bytesPerSecond * LATENCY_S) + bytes)
  return { rate: bytesPerSecond, burst: bytes, limit }
}
