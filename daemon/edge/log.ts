import { isatty } from 'node:tty'
import { pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { writeAll } from '../../cni/edge/fd.ts'
import type { Log } from '../core/log.ts'
import type { LogLevel } from '../core/options.ts'

/** Answers go to standard output (`--version`, and a CNI result when this executable is called as the plugin); logs never do. */
const STDERR = 2

/**
 * The daemon's log on standard error: one JSON object a line or, on a terminal, one line for people. A line is written
 * before the call returns, so none is lost at an exit; one that cannot be written (a full disk, nobody at the other end
 * of the pipe) is lost, and the daemon goes on.
 */
export function openLog(level: LogLevel, isTerminal = isatty(STDERR), fd = STDERR): Log {
  const format = isTerminal ? forPeople() : (line: string) => line
  return pino(
    {
      level,
      // The node's name and the process id are known to whoever collects logs.
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    { write: (line: string) => writeLine(fd, format(escapeInvisible(line))) },
  )
}

function writeLine(fd: number, line: string): void {
  try {
    writeAll(fd, line)
  } catch {
    // There is no place left to say so.
  }
}

/** Makes a line for people of one of JSON. pino-pretty's own stream would need a worker, or lose lines at an exit. */
function forPeople(): (line: string) => string {
  const pretty = prettyFactory({
    colorize: !process.env['NO_COLOR'],
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    errorLikeObjectKeys: [],
  })
  return line => pretty(keepEscapes(line))
}

/**
 * What JSON leaves as it is though a terminal would obey it, or a reader not see it: DEL, C1, marks of direction, line
 * separators. In a line of JSON these stand only inside of strings.
 */
const escapeInvisible = (line: string): string =>
  line.replaceAll(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/**
 * Escapes the escapes of control characters in a line of JSON once more, so that people see `\n` where a message has a
 * line end: what the API server or a program said cannot look like a line of the log, nor steer the terminal.
 */
const keepEscapes = (line: string): string =>
  line.replaceAll(/\\(?:(["\\/])|u[0-9a-f]{4}|[bfnrt])/gi, (escape, plain?: string) =>
    plain === undefined ? `\\${escape}` : escape,
  )
