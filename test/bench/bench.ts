import { writeFileSync } from 'node:fs'
import { drawChart } from './chart.ts'
import { type Figure, type Part } from './figure.ts'
import { type Folders, makeFolders } from './folders.ts'
import { growth } from './growth.ts'
import { latency } from './latency.ts'
import { describeMachine } from './machine.ts'
import { LEGEND } from './names.ts'
import { commandOf, type Options, parseOptions } from './options.ts'
import { align, formatTable } from './table.ts'
import { throughput } from './throughput.ts'
import { traffic } from './traffic.ts'
import { judge, type Verdict } from './verdict.ts'

/*
 * Podwire beside the reference plugins, on nodes of its own: namespaces that go when it ends. Prints tables, and leaves
 * dist/bench.json and dist/bench.svg. Usage: make bench [ROUNDS=100] [PARTS="latency throughput traffic growth"]
 */

const RUN: Readonly<Record<Part, (folders: Folders, rounds: number) => Promise<Figure[]>>> = {
  latency,
  throughput,
  traffic,
  growth,
}
const OUTPUT = `${import.meta.dirname}/../../dist/bench`

async function run(options: Options): Promise<void> {
  const folders = makeFolders()
  const machine = describeMachine()
  const [command, date] = [commandOf(options), new Date().toISOString()]
  const where = `${machine.cpu} × ${machine.processors}, Linux ${machine.kernel}, ${date.slice(0, 10)}, ${command}`
  console.log(`${where}\n\n${LEGEND}\n`)
  const figures: Figure[] = []
  for (const part of options.parts) {
    figures.push(...(await RUN[part](folders, options.rounds)))
    console.log(formatTable(part, figures))
  }
  const verdicts = judge(figures)
  console.log(align([['target', 'measured', 'bound', ''], ...verdicts.map(rowOf)]))
  writeFileSync(
    `${OUTPUT}.json`,
    `${JSON.stringify({ date, command, machine, figures, verdicts }, null, 2)}\n`,
  )
  writeFileSync(`${OUTPUT}.svg`, drawChart(figures, where))
}

const rowOf = ({ target, measured, bound, limit, met }: Verdict): string[] => [
  target,
  measured.toFixed(3),
  `${bound} ${limit}`,
  met ? 'met' : 'MISSED',
]

try {
  await run(parseOptions(process.argv.slice(2)))
} catch (error) {
  console.error(`Cannot measure: ${(error as Error).message}`)
  process.exit(1)
}
