import { createInterface } from 'node:readline'

/*
 * Makes a log of the TAP text on standard input: one line for each test file that passed, and for one that failed
 * all it said but its successes. What tests skip is named too, so that nobody takes it for tested.
 */
let said: string[] = []
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('ok ')) {
    console.log([line, ...said.filter(inner => inner.includes('# SKIP'))].join('\n'))
    said = []
  } else if (line.startsWith('not ok ')) {
    console.log([...said, line].join('\n'))
    said = []
  } else if (!/^(TAP version|\d+\.\.|# Subtest|# No coverage)/.test(line)) {
    if (line.startsWith('#')) console.log(line)
    else if (line.includes('# SKIP') || !/^\s*(ok\b.*|\d+\.\.\d+)?$/.test(line)) said.push(line)
  }
}
if (said.length > 0) console.log(said.join('\n'))
