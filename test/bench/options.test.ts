import t from 'tap'
import { PARTS } from './figure.ts'
import { commandOf, parseOptions } from './options.ts'

const BENCHMARK = { target: 'bench', parts: PARTS, rounds: 100 }
const parse = (...argv: string[]) => parseOptions(argv, BENCHMARK)

t.test('parseOptions() runs all parts unless some are named', t => {
  t.same(parse(), { rounds: 100, parts: PARTS })
  t.same(parse('60', 'growth', 'latency'), { rounds: 60, parts: ['latency', 'growth'] })
  t.end()
})

t.test('parseOptions() refuses what it does not know', t => {
  t.throws(() => parse('0'), /Cannot use "0": give ROUNDS=N/)
  t.throws(() => parse('speed'), /Cannot use "speed"/)
  t.throws(() => parse('daemon'), /Cannot use "daemon"/)
  t.throws(() => parse('1', '2'), /Cannot use "1 2"/)
  t.end()
})

t.test('commandOf() gives the options back', t => {
  t.equal(commandOf(parse(), BENCHMARK), 'make bench ROUNDS=100')
  t.equal(commandOf(parse('7', 'traffic'), BENCHMARK), 'make bench ROUNDS=7 PARTS="traffic"')
  t.end()
})
