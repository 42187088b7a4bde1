import { Compiler } from '../../daemon/core/policy/compile.ts'
import { difference } from '../../daemon/core/policy/difference.ts'
import { parseNetworkPolicy } from '../../daemon/core/policy/network-policy.ts'
import { parsePod, type Pod } from '../../daemon/core/policy/objects.ts'
import type { RuleSet } from '../../daemon/core/policy/rule-set.ts'
import { changePolicy, loadPolicy } from '../../daemon/edge/policy-table.ts'
import { type Figure, figure } from './figure.ts'
import { answer } from './inside.ts'
import { type Change, POD_CHANGES, POLICY_CHANGES } from './names.ts'
import { labelsOf, podObject, PODS } from './pod-object.ts'
import { attachmentOf, clusterOf, WISH } from './policy-cluster.ts'
import { extraPolicy } from './policy-object.ts'

/*
 * One change after the other, from the object in memory to the rules in the kernel. Usage: policy-change.ts ROUNDS
 */

const WORLD = { env: process.env }
/** The first rounds run code that has not run before; a daemon does not either. */
const WARM_UP = 10
const NODES = 1

async function measure(rounds: number): Promise<Figure[]> {
  const compiler = filled()
  let present = compiler.compile()
  await loadPolicy(WORLD, present)
  const steps: Step[] = []
  for (let round = 0; round < WARM_UP + rounds; round++) {
    for (const [change, make] of changesOf(compiler, round)) {
      const [step, wanted] = await timed(change, compiler, present, make)
      present = wanted
      if (round >= WARM_UP) steps.push(step)
    }
  }
  return [...Map.groupBy(steps, ({ change }) => change)].flatMap(([change, own]) => figuresOf(change, own))
}

function filled(): Compiler {
  const { pods, namespaces, policies, podCidrs, attached } = clusterOf(NODES)
  const compiler = new Compiler(WISH)
  for (const namespace of namespaces) compiler.setNamespace(namespace)
  for (const policy of policies) compiler.setPolicy(policy)
  for (const pod of pods) compiler.setPod(pod)
  for (const each of attached) compiler.attach(each)
  compiler.setPodCidrs(podCidrs)
  return compiler
}

/** How long one change took, in milliseconds. */
interface Step {
  readonly change: Change
  readonly compileMs: number
  readonly kernelMs: number
}

function changesOf(compiler: Compiler, round: number): [Change, () => void][] {
  const place = PODS + round
  const pod: Pod = parsePod(podObject(place, NODES))
  const attached = attachmentOf(pod)
  const other: Pod = { ...pod, labels: new Map(Object.entries(labelsOf(place, 'cache'))) }
  const policy = parseNetworkPolicy(extraPolicy(round))
  const [comes, relabels, goes] = POD_CHANGES
  const [policyComes, policyGoes] = POLICY_CHANGES
  return [
    [
      comes,
      () => {
        compiler.attach(attached)
        compiler.setPod(pod)
      },
    ],
    [relabels, () => compiler.setPod(other)],
    [
      goes,
      () => {
        compiler.deletePod(pod)
        compiler.detach(attached.id)
      },
    ],
    [policyComes, () => compiler.setPolicy(policy)],
    [policyGoes, () => compiler.deletePolicy(policy)],
  ]
}

async function timed(
  change: Change,
  compiler: Compiler,
  present: RuleSet,
  make: () => void,
): Promise<[Step, RuleSet]> {
  const started = performance.now()
  make()
  const wanted = compiler.compile()
  const differs = difference(present, wanted)
  const compiled = performance.now()
  await changePolicy(WORLD, wanted, differs)
  return [{ change, compileMs: compiled - started, kernelMs: performance.now() - compiled }, wanted]
}

const figuresOf = (change: Change, steps: readonly Step[]): Figure[] => {
  const one = (name: string, value: (step: Step) => number): Figure =>
    figure('change', name, 'podwire', 'ms', steps.map(value))
  return [
    one(change, ({ compileMs, kernelMs }) => compileMs + kernelMs),
    one(`${change}: compiling`, ({ compileMs }) => compileMs),
    one(`${change}: the kernel`, ({ kernelMs }) => kernelMs),
  ]
}

answer(await measure(Number(process.argv[2])))
