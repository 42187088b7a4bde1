import type { Policies } from './policies.ts'

/**
 * All that a call may use of the process it runs in. The plugin's `main.ts` fills it from the process, the daemon
 * from a socket, a test from an object: nothing else in `cni/` and `ipam/` reads `process`.
 */
export interface World {
  /** The name the program was called by, without its folder: `podwire`, `podwire-ipam`, `podwired`. */
  readonly program: string
  /** The command line after the program's name. */
  readonly argv: readonly string[]
  /** The environment, CNI variables included. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where the kernel's settings can be written: /proc/sys, which is read-only in most containers. */
  readonly sysctls: string
  /** What pods may be reached by, and reach. */
  readonly policies: Policies
  /** All of standard input, up to its end. Throws a CniError when it does not end in time or is too large. */
  stdin(): Promise<Uint8Array>
  /** Writes the one JSON of the call; called at most once. Throws when nobody reads it any more. */
  stdout(text: string): void | Promise<void>
  /** Writes one line for people. */
  stderr(line: string): void
  /** Adds text to the end of a file, for traces; throws when it cannot. */
  append(path: string, text: string): void
  /** Milliseconds from some fixed moment on, for traces. */
  now(): number
  /**
   * `ip link del NAME` on the node; done when the link is gone. The kernel takes 15 ms for one link or for fifty, so
   * whoever serves many calls deletes together what leaves together. Throws the kernel's refusal.
   */
  removeLink(name: string): Promise<void>
}
