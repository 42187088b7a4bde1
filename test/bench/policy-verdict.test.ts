import t from 'tap'
import { figure } from './figure.ts'
import { POD_CHANGES } from './names.ts'
import { POLICY_TARGETS } from './policy-verdict.ts'
import { judge } from './verdict.ts'

const verdict = (...figures: Parameters<typeof judge>[0]) => judge(figures, POLICY_TARGETS)

t.test('POLICY_TARGETS say nothing of what was not measured', t => {
  t.same(verdict(), [])
  t.end()
})

t.test('POLICY_TARGETS want the first load of all pods within a second', t => {
  const name = 'compiled and loaded, 1,000 pods on this node'
  t.match(verdict(figure('load', name, 'podwire', 'ms', [300])), [{ measured: 300, met: true }])
  t.end()
})

t.test('POLICY_TARGETS take the worst kind of change', t => {
  const figures = POD_CHANGES.map((change, i) => figure('change', change, 'podwire', 'ms', [10 * (i + 1)]))
  t.same(verdict(...figures.slice(1)), [])
  t.match(verdict(...figures), [{ target: /from memory/, measured: 30, met: false }])
  t.end()
})

t.test('POLICY_TARGETS allow traffic five per cent', t => {
  const beside = (what: string, value: number) =>
    figure('traffic', `${what}, as a multiple of no policy`, 'podwire', 'times', [value])
  t.match(verdict(beside('TCP throughput', 0.94), beside('TCP request and answer', 1.04)), [
    { bound: 'at least', met: false },
    { bound: 'at most', met: true },
  ])
  t.end()
})
