import { lacksControlPlane } from './control-plane.ts'
import { type Figure, POLICY_PARTS } from './figure.ts'
import { makeFolders } from './folders.ts'
import { inside } from './inside.ts'
import { parseOptions } from './options.ts'
import { policyLoad } from './policy-load.ts'
import { policyTraffic } from './policy-traffic.ts'
import { POLICY_TARGETS } from './policy-verdict.ts'
import { report } from './report.ts'

/*
 * NetworkPolicies of a cluster of 1,000 pods in 20 namespaces with 10 policies each, all on one node. Prints tables, and
 * leaves dist/bench-policy.json. Usage: make bench-policy [ROUNDS=40] [PARTS="load change traffic daemon"]
 */

const BENCHMARK = { target: 'bench-policy', parts: POLICY_PARTS, rounds: 40 }
const LEGEND = `1,000 pods in 20 namespaces with 10 policies each. podwire: maps and sets. rule per pair: the same as a chain of rules, one for
each pod and each peer. no policy: the same pods without any rule.`

const MEASURE: Readonly<Record<(typeof POLICY_PARTS)[number], (rounds: number) => Promise<Figure[]>>> = {
  load: policyLoad,
  change: rounds => inside('policy-change', rounds),
  traffic: rounds => policyTraffic(makeFolders(), rounds),
  daemon: endToEnd,
}

async function endToEnd(rounds: number): Promise<Figure[]> {
  const problem = lacksControlPlane()
  if (problem === undefined) return inside('policy-daemon', rounds)
  console.error(problem)
  return []
}

try {
  const options = parseOptions(process.argv.slice(2), BENCHMARK)
  await report(options, {
    ...BENCHMARK,
    legend: LEGEND,
    targets: POLICY_TARGETS,
    measure: part => MEASURE[part](options.rounds),
  })
} catch (error) {
  console.error(`Cannot measure: ${(error as Error).message}`)
  process.exit(1)
}
