import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { Test } from 'tap'
import { PODWIRE } from '../netns/lab.ts'

/** Signal 13, in the mask of /proc/PID/status (proc(5)). */
const SIGPIPE_BIT = 1n << 12n

/** What stands in for the Node.js executable: it says how it was started, then gives back its input. */
const STAND_IN = `#!/bin/sh
echo "executed $0"
printf '[%s]' "$@"
echo
echo "$LD_LIBRARY_PATH"
grep ^SigIgn: /proc/self/status
echo /proc/self/fd/*
echo "\${CNI_ARGS-}"
exec cat
`
const HEAD_LINES = 6

/** How a launcher ended. */
export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: Buffer
  readonly stderr: string
  readonly ms: number
}

/** What the stand-in said. */
export interface Executed {
  readonly path: string
  readonly args: string
  readonly libraries: string
  /** Whether SIGPIPE was ignored when it was started; others may be so by whoever started the tests. */
  readonly ignoresPipe: boolean
  readonly descriptors: string
  readonly cniArgs: string
  readonly input: Buffer
}

/** A call of the launcher. */
export interface Start {
  readonly name?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What is written to standard input before it is closed; null leaves it open. */
  readonly input?: string | Uint8Array | null
  /** Shell words around the launcher, which is "$@". */
  readonly shell?: string
}

/**
 * A machine of a test's own: /run/podwire is a folder that no other test sees, and the launcher lies in a folder of
 * plugins, with a script for what it executes.
 */
export class Machine {
  /** What is /run/podwire to the launcher. */
  readonly run: string
  readonly plugins: string
  readonly #holder

  constructor(t: Test, launcher: string) {
    const folder = mkdtempSync('/run/launch-')
    this.run = `${folder}/run`
    this.plugins = `${folder}/plugins`
    for (const path of [this.run, `${this.plugins}/podwire.d`, '/run/podwire'])
      mkdirSync(path, { recursive: true })
    copyFileSync(launcher, `${this.plugins}/podwire`)
    for (const name of ['podwire-ipam', 'another'])
      linkSync(`${this.plugins}/podwire`, `${this.plugins}/${name}`)
    for (const name of ['podwire', 'podwire-ipam'])
      writeFileSync(`${this.plugins}/podwire.d/${name}`, STAND_IN, { mode: 0o755 })
    const script = `mount --bind "$0" /run/podwire && echo && exec cat`
    this.#holder = spawn('unshare', ['-m', 'sh', '-c', script, this.run], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.teardown(() => {
      this.#holder.kill()
      rmSync(folder, { recursive: true })
    })
  }

  async ready(): Promise<this> {
    await once(this.#holder.stdout, 'data')
    return this
  }

  /** The mount namespace that the launcher is in. */
  get mounts(): bigint {
    return statSync(`/proc/${this.#holder.pid}/ns/mnt`, { bigint: true }).ino
  }

  /** Puts the built program in the place of the stand-in. */
  useBuilt(): void {
    rmSync(`${this.plugins}/podwire.d/podwire`)
    symlinkSync(PODWIRE, `${this.plugins}/podwire.d/podwire`)
  }

  /** Starts the launcher, and waits for its end. Fails the test when the sanitizers have something to say. */
  async launch({ name = 'podwire', args = [], env = {}, input = '', shell }: Start = {}): Promise<End> {
    const around = shell === undefined ? [] : ['sh', '-c', shell, 'sh']
    const argv = [`--mount=/proc/${this.#holder.pid}/ns/mnt`, ...around, `${this.plugins}/${name}`, ...args]
    const started = performance.now()
    const child = spawn('nsenter', argv, {
      env: { PATH: process.env['PATH'], ASAN_OPTIONS: 'detect_leaks=0', ...env },
    })
    const chunks: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdin.on('error', () => {})
    if (input !== null) child.stdin.end(input)
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    if (/Sanitizer|runtime error/.test(stderr)) throw new Error(stderr)
    return { code, signal, stdout: Buffer.concat(chunks), stderr, ms: performance.now() - started }
  }
}

/** What the stand-in said; throws when something else was said. */
export function executed({ stdout, stderr, code }: End): Executed {
  if (!stdout.toString('latin1').startsWith('executed ') || stderr !== '' || code !== 0)
    throw new Error(`was not executed: ${code} ${stdout.toString('utf8', 0, 1000)} ${stderr}`)
  const lines: string[] = []
  let at = 0
  while (lines.length < HEAD_LINES) {
    const end = stdout.indexOf('\n', at)
    lines.push(stdout.toString('utf8', at, end))
    at = end + 1
  }
  const [path = '', args = '', libraries = '', ignored = '', descriptors = '', cniArgs = ''] = lines
  return {
    path: path.slice('executed '.length),
    args,
    libraries,
    ignoresPipe: (BigInt(`0x${ignored.split('\t')[1]}`) & SIGPIPE_BIT) !== 0n,
    descriptors,
    cniArgs,
    input: stdout.subarray(at),
  }
}
