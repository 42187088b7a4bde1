import t from 'tap'
import { drawChart } from './chart.ts'
import { figure } from './figure.ts'

const figures = [
  figure('latency', 'ADD', 'podwire', 'ms', [2]),
  figure('latency', 'ADD', 'bridge', 'ms', [8]),
  figure('latency', 'ADD', 'kernel', 'ms', [0.4]),
  figure('throughput', '100 DELs, 50 at a time', 'ptp', 'ms', [900]),
]

t.test('drawChart() draws bars to scale, and the kernel as a line', t => {
  const chart = drawChart(figures, 'a machine')
  const widths = [...chart.matchAll(/<rect .* width="([\d.]+)"/g)].map(([, width]) => Number(width))
  t.same(widths, [115, 460, 460])
  t.match(chart, /<line class="floor" x1="253.0"/)
  t.match(chart, /the kernel alone: 0.400/)
  t.equal(chart.match(/class="title"/g)?.length, 2)
  t.end()
})

t.test('drawChart() escapes what it is told', t => {
  t.match(drawChart(figures, 'R&D <b>'), />R&amp;D &lt;b></)
  t.end()
})
