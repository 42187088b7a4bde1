import t from 'tap'
import { type Figure, figure } from './figure.ts'
import { judge } from './verdict.ts'

const add = (system: string, ...values: number[]): Figure => figure('latency', 'ADD', system, 'ms', values)

t.test('judge() compares medians and 99th percentiles with the reference of the same run', t => {
  const [median, tail, ...rest] = judge([add('podwire', 2, 2, 9), add('bridge', 8, 8, 10)])
  t.same(rest, [])
  t.match(median, { target: /^ADD median, as a multiple of bridge/, measured: 0.25, limit: 0.4, met: true })
  t.match(tail, { target: /^ADD 99th/, measured: 0.9, limit: 0.6, met: false })
  t.end()
})

t.test('judge() says nothing of what was not measured', t => {
  t.same(judge([]), [])
  t.same(judge([add('podwire', 2), figure('latency', 'ADD', 'ptp', 'ms', [9])]), [])
  t.end()
})

t.test('judge() takes the worst of the CPU times', t => {
  const cpu = (system: string, at: string, value: number): Figure =>
    figure('throughput', `CPU a pod, ${at} at a time`, system, 'ms', [value])
  const all = ['one', '10', '50'].flatMap((at, i) => [cpu('podwire', at, i + 1), cpu('bridge', at, 10)])
  t.same(judge(all.slice(0, -1)), [])
  t.match(judge(all), [{ target: /^CPU a pod/, measured: 0.3, met: true }])
  t.end()
})

t.test('judge() wants growth flat, and traffic near ptp from both sides', t => {
  const grown = (count: string, value: number): Figure =>
    figure('growth', `DEL with ${count} attachments`, 'podwire', 'ms', [value])
  t.match(judge([grown('10', 20), grown('100', 50), grown('1,000', 30)]), [{ measured: 1.5, met: false }])
  const beside = (what: string, value: number): Figure =>
    figure('traffic', `${what}, as a multiple of ptp`, 'podwire l3', 'times', [value])
  t.match(judge([beside('TCP throughput', 0.96), beside('TCP request and answer', 1.02)]), [
    { target: /l3/, bound: 'at least', met: false },
    { target: /l3/, bound: 'at most', met: true },
  ])
  t.end()
})
