import { type Part, PARTS } from './figure.ts'

/** What the benchmark is asked to do. */
export interface Options {
  readonly rounds: number
  readonly parts: readonly Part[]
}

/** So many make the whole of it take less than ten minutes on two processors. */
const ROUNDS = 100

/** Reads the command line: a number of rounds, and the parts to run; all of them when none is named. Throws a sentence. */
export function parseOptions(argv: readonly string[]): Options {
  const numbers = argv.filter(word => /^[1-9]\d{0,4}$/.test(word))
  const parts = PARTS.filter(part => argv.includes(part))
  const unknown = argv.find(word => !numbers.includes(word) && !parts.some(part => part === word))
  if (unknown !== undefined || numbers.length > 1)
    throw new Error(
      `Cannot use "${unknown ?? numbers.join(' ')}": give ROUNDS=N and PARTS="${PARTS.join(' ')}"`,
    )
  return { rounds: Number(numbers[0] ?? ROUNDS), parts: parts.length > 0 ? parts : PARTS }
}

/** The command that is asked for the same. */
export const commandOf = ({ rounds, parts }: Options): string =>
  `make bench ROUNDS=${rounds}${parts.length === PARTS.length ? '' : ` PARTS="${parts.join(' ')}"`}`
