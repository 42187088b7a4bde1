import { type Figure, figure } from './figure.ts'
import { inside } from './inside.ts'
import { BOTH, COMPILED, LOADED, withPods } from './names.ts'
import { PODS } from './pod-object.ts'
import type { FirstLoad } from './policy-first.ts'

/** Nodes that share the pods: all are here, or as many as on a node of a cluster. */
const NODES = [1, 10] as const
/** Each is the first of a process of its own: what a daemon does once it does with code that has not run before. */
const SHARE = 4

/** From objects in memory to rules in the kernel, the first time. */
export async function policyLoad(rounds: number): Promise<Figure[]> {
  const times = NODES.map((): FirstLoad[] => [])
  for (let round = 0; round < Math.ceil(rounds / SHARE); round++)
    for (const [i, nodes] of NODES.entries()) times[i]!.push(await inside('policy-first', nodes))
  return NODES.flatMap((nodes, i) => {
    const one = (name: string, value: (load: FirstLoad) => number): Figure =>
      figure('load', withPods(name, PODS / nodes), 'podwire', 'ms', times[i]!.map(value))
    return [
      one(COMPILED, ({ compileMs }) => compileMs),
      one(LOADED, ({ loadMs }) => loadMs),
      one(BOTH, ({ compileMs, loadMs }) => compileMs + loadMs),
    ]
  })
}
