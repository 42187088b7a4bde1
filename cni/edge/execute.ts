import { spawn } from 'node:child_process'
import { CniError, messageOf } from '../spec/error.ts'

/** Far beyond any answer of nft or of a plugin; a program that prints more is stopped. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** What a finished program left. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program with an input and an environment of its own, to its end; a time limit kills it. Throws `io` when it
 * cannot be started.
 */
export function execute(
  path: string,
  args: readonly string[],
  input: string,
  env: Readonly<Record<string, string | undefined>>,
  limitMs?: number,
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = start(path, args, env, limitMs)
    const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
    let bytes = 0
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => {
        output[name].push(chunk)
        bytes += chunk.length
        if (bytes > MAX_OUTPUT_BYTES) child.kill()
      })
    }
    child.on('error', cause => reject(notStarted(path, cause)))
    child.on('close', code => {
      resolve({
        code,
        stdout: Buffer.concat(output.stdout).toString(),
        stderr: Buffer.concat(output.stderr).toString(),
      })
    })
    // A program that ends without reading its input is judged by what it printed.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

/** Node throws some failures at once (a program that is being written, ETXTBSY) and reports others as an event. */
function start(path: string, args: readonly string[], env: NodeJS.ProcessEnv, timeout: number | undefined) {
  try {
    return spawn(path, args, { env, stdio: 'pipe', timeout, killSignal: 'SIGKILL' })
  } catch (cause) {
    throw notStarted(path, cause)
  }
}

/** Libcni tries again when it reads "text file busy": somebody is putting a new version of the program in place. */
function notStarted(path: string, cause: unknown): CniError {
  const isBusy = (cause as NodeJS.ErrnoException).code === 'ETXTBSY'
  const advice = isBusy ? 'text file busy; try again' : `${messageOf(cause)}; is it executable?`
  return new CniError(isBusy ? 'try-again' : 'io', `Cannot start "${path}": ${advice}`, { cause })
}
