import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { openSync } from 'node:fs'

/** Starts a program that is killed when this one ends, well or not. */
export function startChild(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(program, args, { stdio })
  process.on('exit', () => child.kill('SIGKILL'))
  return child
}

/** The same for one that says nothing but to a file. */
export function startLogged(program: string, args: readonly string[], file: string): ChildProcess {
  const log = openSync(file, 'w')
  return startChild(program, args, ['ignore', log, log])
}

// Without these a signal would end this program with no `exit`.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1))
