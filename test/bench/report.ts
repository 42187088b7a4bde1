import { writeFileSync } from 'node:fs'
import type { Figure, Part } from './figure.ts'
import { describeMachine } from './machine.ts'
import { type Benchmark, commandOf, type Options } from './options.ts'
import { align, formatTable } from './table.ts'
import { judge, type Target, type Verdict } from './verdict.ts'

const DIST = `${import.meta.dirname}/../../dist`

/** What a run of a benchmark is, beside its options. */
export interface Run<P extends Part> extends Benchmark<P> {
  /** What names in the tables stand for. */
  readonly legend: string
  readonly targets: readonly Target[]
  readonly measure: (part: P) => Promise<Figure[]>
}

/** What came out of it. */
export interface Outcome {
  readonly figures: readonly Figure[]
  /** The processor, the kernel, the day and the command, in a line. */
  readonly where: string
}

/** Runs the parts, prints their tables and a verdict on each target, and writes all of it to dist/TARGET.json. */
export async function report<P extends Part>(options: Options<P>, run: Run<P>): Promise<Outcome> {
  const machine = describeMachine()
  const [command, date] = [commandOf(options, run), new Date().toISOString()]
  const where = `${machine.cpu} × ${machine.processors}, Linux ${machine.kernel}, ${date.slice(0, 10)}, ${command}`
  console.log(`${where}\n\n${run.legend}\n`)
  const figures: Figure[] = []
  for (const part of options.parts) {
    figures.push(...(await run.measure(part)))
    console.log(formatTable(part, figures))
  }
  const verdicts = judge(figures, run.targets)
  console.log(align([['target', 'measured', 'bound', ''], ...verdicts.map(rowOf)]))
  const text = JSON.stringify({ date, command, machine, figures, verdicts }, null, 2)
  writeFileSync(`${DIST}/${run.target}.json`, `${text}\n`)
  return { figures, where }
}

const rowOf = ({ target, measured, bound, limit, met }: Verdict): string[] => [
  target,
  measured.toFixed(3),
  `${bound} ${limit}`,
  met ? 'met' : 'MISSED',
]
