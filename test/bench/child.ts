import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process'
import { openSync } from 'node:fs'

const children = new Set<ChildProcess>()

/** Starts a program that is killed when this one ends, well or not. */
export function startChild(program: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  const child = spawn(program, args, { stdio })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** The same for one that says nothing but to a file. */
export function startLogged(program: string, args: readonly string[], file: string): ChildProcess {
  const log = openSync(file, 'w')
  return startChild(program, args, ['ignore', log, log])
}

process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
// Without these a signal would end this program with no `exit`.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => process.exit(1))
