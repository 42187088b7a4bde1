import { isAbsolute } from 'node:path'
import type { NetworkConfig } from './config.ts'
import type { Environment } from './environment.ts'
import { messageOf } from './error.ts'
import type { Json } from './read.ts'
import type { World } from './world.ts'

/**
 * Writes what a call does, step by step, as the `ip` or `nft` command that does the same.
 * Silent unless the user asked for it: see {@link openTrace}.
 */
export interface Trace {
  /**
   * Records one finished step. `command` is a command line, or a sentence that starts with `#`; a function makes it only
   * where somebody reads it.
   */
  step(command: string | (() => string)): void
}

/** The trace of one call, which whoever opened it also ends. */
export interface CallTrace extends Trace {
  /** Writes the total time and the outcome: `done`, or what failed. */
  end(outcome: string): void
}

export const SILENT: CallTrace = { step: () => {}, end: () => {} }

/**
 * Opens the trace that the user asked for: `--trace` for one on stderr, line by line; PODWIRE_TRACE in the environment
 * or else `"trace"` in the config for one in a file. `started` is when the call began, by the world's clock.
 * A step is a line: milliseconds since the call's start, milliseconds since the step before, the command.
 */
export function openTrace(world: World, env: Environment, config: NetworkConfig, started: number): CallTrace {
  const sinks = [...stderrSink(world), ...fileSink(world, config)]
  if (sinks.length === 0) return SILENT
  // A line break in a value would let whoever writes a config write lines of a file of the node.
  const write = (text: string): void => sinks.forEach(sink => sink.line(text.replaceAll('\n', `\n${MARGIN}`)))
  const title = titleOf(env)
  let last = started
  write(`# ${title} of network "${config.name}", cniVersion ${config.version}`)
  return {
    step(command) {
      const now = world.now()
      const text = typeof command === 'string' ? command : command()
      write(`${column(now - started)} ${column(now - last, '+')}  ${text}`)
      last = now
    },
    end(outcome) {
      write(`# ${title} took ${(world.now() - started).toFixed(2)} ms: ${outcome}`)
      for (const sink of sinks) sink.end()
    },
  }
}

const titleOf = ({ command, attachment }: Environment): string =>
  attachment === undefined ? command : `${command} ${attachment.containerId}/${attachment.ifname}`

const column = (milliseconds: number, sign = ''): string => `${sign}${milliseconds.toFixed(2)}`.padStart(8)
/** What the lines of one command are moved in by, so that they stand under its first. */
const MARGIN = ' '.repeat(19)

interface Sink {
  line(text: string): void
  end(): void
}

function stderrSink(world: World): Sink[] {
  return world.argv.includes('--trace') ? [{ line: text => world.stderr(text), end: () => {} }] : []
}

/** Writes a call as a whole at its end: calls that share a file run at the same time, and must not mix. */
function fileSink(world: World, config: NetworkConfig): Sink[] {
  const path: Json | undefined = world.env['PODWIRE_TRACE'] || config.keys.value('trace')
  if (path === undefined || path === '') return []
  let text = ''
  return [
    {
      line(line) {
        text += `${line}\n`
      },
      end: () => append(world, path, text),
    },
  ]
}

/** A trace that cannot be written is no reason for a call to fail. */
function append(world: World, path: Json, text: string): void {
  try {
    if (typeof path !== 'string' || !isAbsolute(path)) throw new Error('it must be an absolute path')
    world.append(path, text)
  } catch (error) {
    world.stderr(`Cannot write the trace to ${JSON.stringify(path)}: ${messageOf(error)}`)
  }
}
