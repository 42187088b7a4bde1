/*
 * How the launcher and the daemon talk over the socket, in the byte order of the machine that both are on:
 *
 *   launcher   head, variables, standard input      one call
 *   daemon     T or N                               taken, or not one for the daemon
 *   launcher   G                                    go: from here on nobody else will carry it out
 *   daemon     head, standard output, standard error
 *
 * The launcher's G is what makes a call happen once: a launcher that lost patience before it has closed instead, and
 * carries the call out itself.
 */

/** What the launcher says first. */
const MAGIC = 'PDW1'
/** The magic, lengths of variables and standard input, 4 bytes of nothing, three numbers of 8 bytes. */
const CALL_HEAD = 40
/** The exit code, lengths of standard output and standard error. */
const ANSWER_HEAD = 12

/** Far above what launchers send: they ask with at most 4 MiB of standard input, and execve() takes 2 MiB of variables. */
const MAX_BYTES = 16 * 1024 * 1024

export const TAKEN = 'T'
export const NOT_MINE = 'N'
export const GO = 'G'

/** A namespace or file, wherever its path may lead others. */
export interface FileId {
  readonly dev: bigint
  readonly ino: bigint
}

/** A call as the launcher hands it over. */
export interface Frame {
  /** The name that the launcher was called by. */
  readonly program: string
  /** Those variables of its environment that matter: `CNI_*` and `PODWIRE_*`. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin: Uint8Array
  /** The launcher's mount namespace, by its inode; 0 when it does not know. */
  readonly mounts: bigint
  /** What CNI_NETNS leads the launcher to; undefined when that is nowhere. */
  readonly netns: FileId | undefined
}

/** What the call came to. */
export interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Reads a call from what has come so far: undefined when that is not all of it. Throws when it is none. */
export function parseFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < CALL_HEAD) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [variables, input] = [view.getUint32(4, true), view.getUint32(8, true)]
  if (text(bytes.subarray(0, 4)) !== MAGIC || variables + input > MAX_BYTES)
    throw new Error(
      'Cannot read a call on the socket: it is none; only podwire-launch of this version may ask',
    )
  const end = CALL_HEAD + variables
  if (bytes.length < end + input) return undefined
  const [dev, ino] = [view.getBigUint64(24, true), view.getBigUint64(32, true)]
  return {
    ...parseVariables(text(bytes.subarray(CALL_HEAD, end))),
    stdin: bytes.subarray(end, end + input),
    mounts: view.getBigUint64(16, true),
    netns: ino === 0n ? undefined : { dev, ino },
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

function parseVariables(block: string): Pick<Frame, 'program' | 'env'> {
  const [program = '', ...pairs] = block.split('\0').slice(0, -1)
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=')
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
  return { program, env: Object.fromEntries(entries) }
}

/** The bytes of an answer. */
export function encodeAnswer({ code, stdout, stderr }: Answer): Uint8Array {
  const encoder = new TextEncoder()
  const [out, err] = [encoder.encode(stdout), encoder.encode(stderr)]
  const bytes = new Uint8Array(ANSWER_HEAD + out.length + err.length)
  const view = new DataView(bytes.buffer)
  for (const [i, number] of [code, out.length, err.length].entries()) view.setUint32(4 * i, number, true)
  bytes.set(out, ANSWER_HEAD)
  bytes.set(err, ANSWER_HEAD + out.length)
  return bytes
}
