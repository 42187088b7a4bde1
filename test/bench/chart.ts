import type { Figure } from './figure.ts'
import { CONCURRENCIES, timeOf } from './names.ts'
import { formatNumber } from './numbers.ts'

/*
 * The chart of a run as SVG: medians as bars, one panel below the other. It has no background of its own, and its
 * colours follow the reader's theme.
 */

const WIDTH = 760
/** Where bars begin and end; labels stand left of them, values right. */
const [LEFT, RIGHT] = [230, 690]
const ROW = 22
const BAR = 14
const TITLE = 34

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; }
  .label { text-anchor: end; }
  .note { font-size: 11px; fill: #57606a; }
  .bar { fill: #8c959f; }
  .own { fill: #0969da; }
  .floor { stroke: #cf222e; stroke-dasharray: 4 3; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note { fill: #9198a1; }
    .bar { fill: #6e7681; }
    .own { fill: #4493f8; }
    .floor { stroke: #ff7b72; }
  }
`

/** Systems as people know them, in the order of the bars. */
const SYSTEMS: ReadonlyMap<string, string> = new Map([
  ['podwire', 'podwire'],
  ['bridge', 'bridge + host-local'],
  ['ptp', 'ptp + host-local + portmap'],
  ['standalone', 'podwire without daemon'],
])

interface Bar {
  readonly label: string
  readonly isOwn: boolean
  readonly value: number
}

interface Panel {
  readonly title: string
  readonly bars: readonly Bar[]
  /** What the kernel alone takes. */
  readonly floor: number | undefined
}

/** The chart of what was measured; what was not has no bar. `caption` says where and when. */
export function drawChart(figures: readonly Figure[], caption: string): string {
  const panels = panelsOf(figures)
  const parts: string[] = []
  let y = 0
  for (const panel of panels) {
    parts.push(drawPanel(panel, y))
    y += heightOf(panel)
  }
  parts.push(`<text class="note" x="8" y="${y + 24}">${escape(caption)}</text>`)
  const height = y + 36
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"`
  return `${head} role="img" aria-label="Medians of ADD and DEL">\n<style>${STYLE}</style>\n${parts.join('\n')}\n</svg>\n`
}

function panelsOf(figures: readonly Figure[]): Panel[] {
  const value = (name: string, system: string): number | undefined =>
    figures.find(each => each.name === name && each.system === system)?.values.median
  const bars = (name: string): Bar[] =>
    [...SYSTEMS].flatMap(([system, label]) => {
      const found = value(name, system)
      return found === undefined ? [] : [{ label, isOwn: system === 'podwire', value: found }]
    })
  const single = ['ADD', 'DEL'].map(name => ({
    title: `${name}, one after another: milliseconds`,
    bars: bars(name),
    floor: value(name, 'kernel'),
  }))
  const many = CONCURRENCIES.map(concurrency => {
    const name = timeOf('DEL', concurrency)
    return { title: `${name}: milliseconds for all`, bars: bars(name), floor: undefined }
  })
  return [...single, ...many].filter(panel => panel.bars.length > 0)
}

const heightOf = ({ bars, floor }: Panel): number =>
  TITLE + bars.length * ROW + (floor === undefined ? 0 : 16)

function drawPanel({ title, bars, floor }: Panel, top: number): string {
  const scale = (RIGHT - LEFT) / Math.max(...bars.map(({ value }) => value))
  const first = top + TITLE
  const rows = bars.map(({ label, isOwn, value }, i) => {
    const y = first + i * ROW
    const width = Math.max(1, value * scale)
    return [
      `<text class="label" x="${LEFT - 8}" y="${y + 12}">${escape(label)}</text>`,
      `<rect class="bar${isOwn ? ' own' : ''}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
      `<text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 12}">${formatNumber(value)}</text>`,
    ].join('\n')
  })
  const heading = `<text class="title" x="8" y="${top + 22}">${escape(title)}</text>`
  return [
    heading,
    ...rows,
    ...(floor === undefined ? [] : [drawFloor(floor, LEFT + floor * scale, first, bars.length)]),
  ].join('\n')
}

function drawFloor(value: number, x: number, top: number, rows: number): string {
  const bottom = top + rows * ROW
  return [
    `<line class="floor" x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top - 4}" y2="${bottom}"/>`,
    `<text class="note" x="${x.toFixed(1)}" y="${bottom + 12}">the kernel alone: ${formatNumber(value)}</text>`,
  ].join('\n')
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
