import type { Part } from './figure.ts'

/** A benchmark that can be asked for, as a target of `make`. */
export interface Benchmark<P extends Part> {
  readonly target: string
  readonly parts: readonly P[]
  /** How many rounds it has unless told. */
  readonly rounds: number
}

/** What a benchmark is asked to do. */
export interface Options<P extends Part> {
  readonly rounds: number
  readonly parts: readonly P[]
}

/** Reads the command line: a number of rounds, and the parts to run; all of them when none is named. Throws a sentence. */
export function parseOptions<P extends Part>(argv: readonly string[], asked: Benchmark<P>): Options<P> {
  const numbers = argv.filter(word => /^[1-9]\d{0,4}$/.test(word))
  const parts = asked.parts.filter(part => argv.includes(part))
  const unknown = argv.find(word => !numbers.includes(word) && !parts.some(part => part === word))
  if (unknown !== undefined || numbers.length > 1)
    throw new Error(
      `Cannot use "${unknown ?? numbers.join(' ')}": give ROUNDS=N and PARTS="${asked.parts.join(' ')}"`,
    )
  return { rounds: Number(numbers[0] ?? asked.rounds), parts: parts.length > 0 ? parts : asked.parts }
}

/** The command that is asked for the same. */
export const commandOf = <P extends Part>({ rounds, parts }: Options<P>, asked: Benchmark<P>): string =>
  `make ${asked.target} ROUNDS=${rounds}${parts.length === asked.parts.length ? '' : ` PARTS="${parts.join(' ')}"`}`
