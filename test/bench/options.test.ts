import t from 'tap'
import { PARTS } from './figure.ts'
import { commandOf, parseOptions } from './options.ts'

t.test('parseOptions() runs all parts unless some are named', t => {
  t.same(parseOptions([]), { rounds: 100, parts: PARTS })
  t.same(parseOptions(['60', 'growth', 'latency']), { rounds: 60, parts: ['latency', 'growth'] })
  t.end()
})

t.test('parseOptions() refuses what it does not know', t => {
  t.throws(() => parseOptions(['0']), /Cannot use "0": give ROUNDS=N/)
  t.throws(() => parseOptions(['speed']), /Cannot use "speed"/)
  t.throws(() => parseOptions(['1', '2']), /Cannot use "1 2"/)
  t.end()
})

t.test('commandOf() gives the options back', t => {
  t.equal(commandOf(parseOptions([])), 'make bench ROUNDS=100')
  t.equal(commandOf(parseOptions(['7', 'traffic'])), 'make bench ROUNDS=7 PARTS="traffic"')
  t.end()
})
