import { writeFileSync } from 'node:fs'
import { drawChart } from './chart.ts'
import { type Figure, PARTS } from './figure.ts'
import { type Folders, makeFolders } from './folders.ts'
import { growth } from './growth.ts'
import { latency } from './latency.ts'
import { LEGEND } from './names.ts'
import { parseOptions } from './options.ts'
import { report } from './report.ts'
import { throughput } from './throughput.ts'
import { traffic } from './traffic.ts'
import { TARGETS } from './verdict.ts'

/*
 * Podwire beside the reference plugins, on nodes of its own: namespaces that go when it ends. Prints tables, and leaves
 * dist/bench.json and dist/bench.svg. Usage: make bench [ROUNDS=100] [PARTS="latency throughput traffic growth"]
 */

const RUN: Readonly<Record<(typeof PARTS)[number], (folders: Folders, rounds: number) => Promise<Figure[]>>> =
  { latency, throughput, traffic, growth }
/** So many rounds make the whole of it take less than ten minutes on two processors. */
const BENCHMARK = { target: 'bench', parts: PARTS, rounds: 100 }
const CHART = `${import.meta.dirname}/../../dist/bench.svg`

try {
  const options = parseOptions(process.argv.slice(2), BENCHMARK)
  const folders = makeFolders()
  const { figures, where } = await report(options, {
    ...BENCHMARK,
    legend: LEGEND,
    targets: TARGETS,
    measure: part => RUN[part](folders, options.rounds),
  })
  writeFileSync(CHART, drawChart(figures, where))
} catch (error) {
  console.error(`Cannot measure: ${(error as Error).message}`)
  process.exit(1)
}
