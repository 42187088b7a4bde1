import { compile } from '../../daemon/core/policy/compile.ts'
import { loadPolicy } from '../../daemon/edge/policy-table.ts'
import { answer } from './inside.ts'
import { clusterOf, WISH } from './policy-cluster.ts'

/** What a program takes that does it for the first time, in milliseconds. */
export interface FirstLoad {
  readonly compileMs: number
  readonly loadMs: number
}

/** Compiles and loads a cluster's policies once. Usage: policy-first.ts NODES */
async function load(nodes: number): Promise<FirstLoad> {
  const cluster = clusterOf(nodes)
  const started = performance.now()
  const rules = compile(cluster, WISH)
  const compiled = performance.now()
  await loadPolicy({ env: process.env }, rules)
  return { compileMs: compiled - started, loadMs: performance.now() - compiled }
}

answer(await load(Number(process.argv[2])))
