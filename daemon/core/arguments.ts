/** One option: how it is written, what it is for, and what it may be. */
export interface Row<T> {
  readonly flag: string
  /** What stands for the value in the help text. */
  readonly value: string
  readonly help: string
  /** The text that is read when the option is not given. */
  readonly otherwise?: string
  readonly isRepeatable?: boolean
  /** What the option means without a value; only then may it stand alone. */
  readonly alone?: string
  /** What a value must be, for people. */
  readonly allowed: string
  /** Undefined for what is not allowed. */
  readonly parse: (text: string) => T | undefined
}

export const PATH = {
  allowed: 'an absolute path',
  parse: (text: string) => (/^\/[^\0]*$/.test(text) ? text : undefined),
}

export const SWITCH = {
  value: 'BOOL',
  alone: 'true',
  allowed: 'true or false',
  parse: (text: string) => (text === 'true' || text === 'false' ? text === 'true' : undefined),
}

/** An option's line in a help text. */
export function helpOf({ flag, value, help, otherwise }: Row<unknown>): string {
  const initial = otherwise === undefined ? '' : ` (default: ${otherwise})`
  return `  ${`${flag}=${value}`.padEnd(28)} ${help}${initial}\n`
}

/** Values by their option. */
export type Given = ReadonlyMap<string, readonly string[]>

/**
 * Sorts arguments by option; a value follows its option after "=" or as the next argument. Throws for what is none of
 * the rows, and for an option without a value; `program` is the one whose --help tells them.
 */
export function gather(argv: readonly string[], rows: readonly Row<unknown>[], program: string): Given {
  const given = new Map<string, string[]>()
  const rest = [...argv]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [, flag = argument, inline] = /^(--[^=]*)=(.*)$/s.exec(argument) ?? []
    const row = rows.find(each => each.flag === flag)
    if (row === undefined) throw new Error(`Unknown argument ${JSON.stringify(flag)}; see ${program} --help`)
    const value = inline ?? row.alone ?? (rest[0]?.startsWith('--') ? undefined : rest.shift())
    if (value === undefined) throw new Error(`Cannot use ${flag}: it has no value; give ${row.allowed}`)
    given.set(flag, [...(given.get(flag) ?? []), value])
  }
  return given
}

/** The value of an option that has one in any case. */
export const one = <T>(row: Row<T>, given: Given): T => all(row, given)[0]!

/** The values of an option, or what stands in for them. Throws a sentence that says what is allowed. */
export function all<T>(row: Row<T>, given: Given, otherwise = row.otherwise): T[] {
  const texts = given.get(row.flag) ?? (otherwise ? [otherwise] : [])
  if (texts.length > 1 && row.isRepeatable !== true)
    throw new Error(`Cannot use ${row.flag}: it is given ${texts.length} times; give it once`)
  return texts.map(text => {
    const value = row.parse(text)
    if (value !== undefined) return value
    throw new Error(`Cannot use ${row.flag} ${JSON.stringify(text)}: it must be ${row.allowed}`)
  })
}
