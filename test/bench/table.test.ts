import t from 'tap'
import { figure } from './figure.ts'
import { align, formatTable } from './table.ts'

t.test('formatTable() has a line for each name and a column for each system', t => {
  const figures = [
    figure('latency', 'ADD', 'podwire', 'ms', [1, 2, 3]),
    figure('latency', 'ADD', 'bridge', 'ms', [8.25]),
    figure('latency', 'DEL', 'bridge', 'ms', [20]),
    figure('traffic', 'TCP throughput', 'bridge', 'Gbit/s', [31.4]),
  ]
  t.equal(
    formatTable('latency', figures),
    [
      'latency: median / p95 / p99             podwire              bridge',
      'ADD, ms                      2.00 / 3.00 / 3.00  8.25 / 8.25 / 8.25',
      'DEL, ms                                          20.0 / 20.0 / 20.0',
      '',
    ].join('\n'),
  )
  t.equal(
    formatTable('traffic', figures),
    ['traffic: median         bridge', 'TCP throughput, Gbit/s    31.4', ''].join('\n'),
  )
  t.end()
})

t.test('align() fills up', t => {
  t.equal(align([]), '')
  t.equal(
    align([
      ['a', '1'],
      ['bcd', '10'],
    ]),
    'a     1\nbcd  10\n',
  )
  t.end()
})
