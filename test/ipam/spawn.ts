import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Task } from './child.ts'

const CHILD = join(import.meta.dirname, 'child.ts')

/** What a process of {@link Task} printed up to its end. */
export interface Outcome {
  /** `VERB ID ANSWER`, a line for each finished step. */
  readonly lines: readonly string[]
  readonly stderr: string
  readonly signal: NodeJS.Signals | null
  readonly status: number | null
}

/** A process at work on a task. */
export interface Running {
  readonly process: ChildProcess
  readonly outcome: Promise<Outcome>
}

/** Starts a task; `before` are shell commands that prepare a mount namespace of its own for it. */
export function start(task: Task, before?: string): Running {
  const argv = [process.execPath, CHILD, JSON.stringify(task)]
  return before === undefined
    ? run(argv)
    : run(['unshare', flags(), 'sh', '-ec', `${before}; exec "$@"`, 'sh', ...argv])
}

const flags = (): string => (process.getuid?.() === 0 ? '-m' : '-Urm')

/** Starts a program with its own environment and standard input. */
export function run(argv: readonly string[], env = process.env, stdin = ''): Running {
  const child = spawn(argv[0]!, argv.slice(1), { env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status, signal) => {
      resolve({ lines: stdout.split('\n').filter(line => line !== ''), stderr, signal, status })
    })
  })
  return { process: child, outcome }
}

/** Runs a task to its end. */
export const finish = (task: Task, before?: string): Promise<Outcome> => start(task, before).outcome

/** `[id, address]` of every ADD that was answered with one address. */
export const grants = (outcomes: readonly Outcome[]): [string, string][] =>
  outcomes
    .flatMap(({ lines }) => lines)
    .map(line => line.split(' '))
    .flatMap(([verb, id, ip]) => (verb === 'ADD' && ip !== 'error' ? [[id!, ip!] as [string, string]] : []))
