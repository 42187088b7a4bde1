import type { NetworkConfig } from './config.ts'
import type { Attachment, Environment, NetnsPath } from './environment.ts'
import type { Result } from './result.ts'
import type { Trace } from './trace.ts'
import type { World } from './world.ts'

/** What every operation gets. */
export interface Call {
  readonly world: World
  readonly env: Environment
  readonly config: NetworkConfig
  readonly trace: Trace
}

/** DEL: an attachment, and its namespace when there still is one. */
export interface DelCall extends Call {
  readonly attachment: Attachment
  readonly netns: NetnsPath | undefined
}

/** ADD and CHECK: an attachment and its namespace. */
export interface AttachmentCall extends DelCall {
  readonly netns: NetnsPath
}

/** GC: the attachments to keep; undefined when the runtime did not say, and then nothing may go. */
export interface GcCall extends Call {
  readonly valid: readonly Attachment[] | undefined
}

/**
 * One CNI plugin: an operation a method. A method that returns has done its work; one that throws a CniError has not.
 * `add` leaves nothing behind when it throws; `del` succeeds when there is nothing left to delete.
 */
export interface Plugin {
  /** One line for somebody who starts the program by hand. */
  readonly about: string
  add(call: AttachmentCall): Promise<Result>
  del(call: DelCall): Promise<void>
  check(call: AttachmentCall): Promise<void>
  gc(call: GcCall): Promise<void>
  status(call: Call): Promise<void>
}
