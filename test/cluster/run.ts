import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

/** How long a command may take unless told, in milliseconds. */
const PATIENCE_MS = 120_000

/** So much of a command, and of what it said, is in an error's message. */
const SHOWN = 500

/** What a command needs besides its words. */
export interface RunOptions {
  /** For its standard input. */
  readonly input?: string
  readonly patienceMs?: number
}

/** Runs a command to its end and answers what it says on stdout; throws with what it says on stderr. */
export async function run(
  [command = '', ...args]: readonly string[],
  { input = '', patienceMs = PATIENCE_MS }: RunOptions = {},
): Promise<string> {
  const child = spawn(command, args, { timeout: patienceMs, killSignal: 'SIGKILL' })
  const ended = Promise.withResolvers<number | string | null>()
  child.on('error', ended.reject)
  child.on('exit', (code, signal) => ended.resolve(code ?? signal))
  // A command that wants no input may be gone before it is written.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended.promise])
  if (status === 0) return stdout
  const said = (stderr || stdout).slice(-SHOWN)
  throw new Error(`Cannot run ${[command, ...args].join(' ').slice(0, SHOWN)}: ${status}: ${said}`)
}

/** Whether a command can be run and succeeds. */
export const succeeds = (command: readonly string[]): Promise<boolean> =>
  run(command).then(
    () => true,
    () => false,
  )
