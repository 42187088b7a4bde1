/**
 * The one table of what can go wrong, and the CNI code that each kind carries.
 * Codes below 100 are the specification's (CNI SPEC 1.1.0, "Error"); ours start at 100, one for each kind.
 */
export const CODES = {
  'incompatible-version': 1,
  'unsupported-field': 2,
  'unknown-container': 3,
  'invalid-environment': 4,
  io: 5,
  decode: 6,
  'invalid-config': 7,
  'try-again': 11,
  'not-available': 50,
  'limited-connectivity': 51,
  'attachment-exists': 100,
  'pool-exhausted': 101,
  'address-taken': 102,
  'attachment-unknown': 103,
  store: 104,
  'interface-exists': 105,
  'bridge-conflict': 106,
  netlink: 107,
  netns: 108,
  sysctl: 109,
  nft: 110,
  'delegate-missing': 111,
  'delegate-failed': 112,
  'kernel-feature-missing': 113,
  'check-failed': 114,
  'port-taken': 115,
  internal: 199,
} as const satisfies Record<string, number>

/** What went wrong, as a closed set; {@link CODES} gives its number. */
export type ErrorKind = keyof typeof CODES

/** What a {@link CniError} may carry besides its kind and message. */
export interface ErrorExtra {
  /** More for the reader of the log; never needed to understand the message. */
  readonly details?: string
  /** What caused it. */
  readonly cause?: unknown
}

/**
 * An error that a runtime can read: it becomes the JSON of the CNI specification, section "Error".
 * The message says what failed, on which object, and what to do: `Cannot ACTION OBJECT: state; do this`.
 */
export class CniError extends Error {
  readonly kind: ErrorKind
  readonly details: string | undefined

  constructor(kind: ErrorKind, message: string, extra: ErrorExtra = {}) {
    super(message, extra.cause === undefined ? {} : { cause: extra.cause })
    this.name = 'CniError'
    this.kind = kind
    this.details = extra.details
  }

  /** The number that the CNI specification (or, from 100, our own table) gives to this kind. */
  get code(): number {
    return CODES[this.kind]
  }
}

/** An error that another plugin printed; it is passed on as it was, code, message and details. */
export class DelegateError extends CniError {
  readonly #code: number

  constructor(code: number, message: string, extra: ErrorExtra = {}) {
    super('delegate-failed', message, extra)
    this.#code = code
  }

  override get code(): number {
    return this.#code
  }
}

/** The text of any thrown value, without a stack. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message
  try {
    return String(thrown)
  } catch {
    return 'something that has no text'
  }
}

/** Runs every job, whatever the others do; answers what went wrong. */
export async function collect(jobs: readonly (() => Promise<void>)[]): Promise<unknown[]> {
  const failures: unknown[] = []
  for (const job of jobs) {
    try {
      await job()
    } catch (error) {
      failures.push(error)
    }
  }
  return failures
}

/** Several failures of one best-effort job as one error, so that none is lost. */
export function joinErrors(failures: readonly unknown[]): CniError | undefined {
  const [first] = failures
  if (first === undefined) return undefined
  if (failures.length === 1 && first instanceof CniError) return first
  const kind = first instanceof CniError ? first.kind : 'internal'
  return new CniError(kind, failures.map(messageOf).join('; '), { cause: first })
}

/** Marks code that a closed union makes unreachable; the compiler proves it. */
export function assertNever(value: never): never {
  throw new CniError(
    'internal',
    `Cannot handle "${String(value)}": it is outside of a closed set; report a bug`,
  )
}
