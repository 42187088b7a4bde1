import type { Figure, Part } from './figure.ts'
import { SYSTEMS } from './names.ts'
import { formatNumber, type Quantiles } from './numbers.ts'

/** What stands in a cell: a table of latencies shows how they spread, the others are of few values. */
const SHOWN: Readonly<Record<Part, readonly (keyof Quantiles)[]>> = {
  latency: ['median', 'p95', 'p99'],
  throughput: ['median'],
  traffic: ['median'],
  growth: ['median', 'p95'],
  load: ['median', 'max'],
  change: ['median', 'p95'],
  daemon: ['median', 'p95'],
}

/** The figures of one part as text: a line for each name, a column for each system. */
export function formatTable(part: Part, figures: readonly Figure[]): string {
  const ours = figures.filter(figure => figure.part === part)
  const systems = distinct(ours.map(({ system }) => system)).toSorted((a, b) => place(a) - place(b))
  const rows = distinct(ours.map(rowName)).map(name => [
    name,
    ...systems.map(system => cell(ours.find(each => rowName(each) === name && each.system === system))),
  ])
  const title = `${part}: ${SHOWN[part].join(' / ')}`
  return align([[title, ...systems], ...rows])
}

const rowName = ({ name, unit }: Figure): string => `${name}, ${unit}`

/** Where a system stands; what is not in the list comes first. */
const place = (system: string): number => SYSTEMS.findIndex(each => each === system)

const distinct = (texts: readonly string[]): string[] => [...new Set(texts)]

const cell = (figure: Figure | undefined): string =>
  figure === undefined ? '' : SHOWN[figure.part].map(key => formatNumber(figure.values[key])).join(' / ')

/** Lines of equal columns: the first is text, the others are numbers. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const pad = (text: string, column: number): string =>
    column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!)
  return rows.map(row => `${row.map(pad).join('  ').trimEnd()}\n`).join('')
}
