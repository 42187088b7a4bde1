/*
 * The IPAM in a process of its own, for tests that start several or kill one. Its one argument says what to do;
 * what it holds and gives back it prints, one line a step, before it goes on.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { reserve } from '../../ipam/add.ts'
import { formatIp } from '../../ipam/core/ip.ts'
import { ipam } from '../../ipam/plugin.ts'
import { CniError } from '../../cni/spec/error.ts'
import { callOf, type Sketch } from './calls.ts'

type Verb = 'ADD' | 'DEL' | 'GC' | 'STATUS'

/** What the process is to do. */
export interface Task {
  readonly ipam: Sketch['ipam']
  /** Container ids, in turn. */
  readonly ids: readonly string[]
  /** What to do with each. */
  readonly verbs: readonly Verb[]
  /** Dies at the n-th call of the file system, from 1. */
  readonly dieAt?: number
}

/** Ends the process here; the signal may take a moment to arrive at this thread. */
function die(): never {
  process.kill(process.pid, 'SIGKILL')
  for (;;);
}

/** Counts the calls of the file system, and dies before one of them or half-way in a write, as `kill -9` would have it. */
function dieAt(call: number): void {
  const calls = fs as unknown as Record<string, (...args: unknown[]) => unknown>
  let count = 0
  for (const [name, real] of Object.entries(calls)) {
    if (!name.endsWith('Sync')) continue
    calls[name] = (...args) => {
      count += 1
      if (count === call) die()
      if (name !== 'writeSync') return real(...args)
      count += 1
      if (count !== call) return real(...args)
      real(args[0], args[1], args[2], 3)
      return die()
    }
  }
  syncBuiltinESMExports()
}

async function perform(verb: Verb, id: string, sketch: Sketch['ipam']): Promise<string> {
  const call = callOf({ ipam: sketch, id })
  try {
    if (verb === 'ADD')
      return reserve(call)
        .result.ips.map(({ address }) => formatIp(address.ip))
        .join(' ')
    if (verb === 'DEL') await ipam.del(call)
    else await (verb === 'GC' ? ipam.gc(call) : ipam.status(call))
    return 'done'
  } catch (error) {
    return error instanceof CniError ? `error ${error.kind}` : `error ${String(error)}`
  }
}

const task = JSON.parse(process.argv[2]!) as Task
// Taken before the calls are counted.
const output = fs.writeSync
if (task.dieAt !== undefined) dieAt(task.dieAt)
for (const id of task.ids) {
  for (const verb of task.verbs) output(1, `${verb} ${id} ${await perform(verb, id, task.ipam)}\n`)
}
