import { CniError, messageOf } from './error.ts'
import { present } from './present.ts'
import type { JsonObject } from './read.ts'
import { type CniVersion, NEWEST, VERSIONS } from './version.ts'

/** The answer to VERSION (SPEC 1.1.0, section 2, "VERSION"): our newest, as the reference answers, not an echo. */
export const VERSION_ANSWER: JsonObject = { cniVersion: NEWEST, supportedVersions: VERSIONS }

/**
 * Any thrown value as the JSON of the specification's section "Error". What is no {@link CniError} is a bug of ours
 * and says so; `command` is what was asked for. No stack: that is for stderr.
 */
export function errorJson(thrown: unknown, version: CniVersion, command: string): JsonObject {
  const { first, later } = untangle(thrown)
  const error = first instanceof CniError ? first : bug(first, command)
  const details = [error.details ?? chainOf(error), ...later.map(failure => `then: ${messageOf(failure)}`)]
  return present({
    cniVersion: version,
    code: error.code,
    msg: error.message,
    details: details.filter(Boolean).join('; ') || undefined,
  })
}

/** Whether a thrown value is a bug of ours, whose stack is worth a look. */
export const isBug = (thrown: unknown): boolean => !(untangle(thrown).first instanceof CniError)

function bug(cause: unknown, command: string): CniError {
  return new CniError(
    'internal',
    `Cannot finish ${command}: this is a bug in Podwire; report it with the details and the config`,
    { cause },
  )
}

/**
 * When undoing fails after a failure, JavaScript wraps the two in a SuppressedError whose own message says nothing,
 * and whose `suppressed` is what happened first.
 */
function untangle(thrown: unknown): { first: unknown; later: unknown[] } {
  if (!(thrown instanceof SuppressedError)) return { first: thrown, later: [] }
  const { first, later } = untangle(thrown.suppressed)
  return { first, later: [...later, thrown.error] }
}

/** The messages of an error's causes, outermost first, without those that an outer message already holds. */
function chainOf(error: CniError): string {
  const seen = new Set<unknown>([error])
  const added: string[] = []
  let told = error.message
  for (let cause = error.cause; cause !== undefined && !seen.has(cause); cause = causeOf(cause)) {
    seen.add(cause)
    const message = messageOf(cause)
    if (told.includes(message)) continue
    added.push(message)
    told += message
  }
  return added.join(': ')
}

const causeOf = (thrown: unknown): unknown => (thrown instanceof Error ? thrown.cause : undefined)
