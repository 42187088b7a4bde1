import { besideNone, BOTH, fromAnswer, MEMORY_PEAK, POD_CHANGES, REQUEST, STREAM, withPods } from './names.ts'
import { PODS } from './pod-object.ts'
import { atLeast, atMost, type Target } from './verdict.ts'

/** Of a node that has all pods of the cluster. */
export const POLICY_TARGETS: readonly Target[] = [
  atMost(1000, 'first compile and load, ms', find => medianOf(find('load', withPods(BOTH, PODS), 'podwire'))),
  atMost(20, "one pod's change from memory to the kernel, median of the worst kind, ms", find =>
    Math.max(...POD_CHANGES.map(change => medianOf(find('change', change, 'podwire')))),
  ),
  atMost(20, "one pod's change from the API server to the kernel, median of the worst kind, ms", find =>
    Math.max(...POD_CHANGES.map(change => medianOf(find('daemon', fromAnswer(change), 'podwire')))),
  ),
  atLeast(0.95, besideNone(STREAM), find => medianOf(find('traffic', besideNone(STREAM), 'podwire'))),
  atMost(1.05, besideNone(REQUEST), find => medianOf(find('traffic', besideNone(REQUEST), 'podwire'))),
  atMost(200, 'memory of the daemon at most, MB', find => medianOf(find('daemon', MEMORY_PEAK, 'podwire'))),
]

const medianOf = (values: { readonly median: number } | undefined): number => values?.median ?? Number.NaN
