import type { Log } from '../../daemon/core/log.ts'

/** A log in memory: `LEVEL SENTENCE` a line. */
export function fakeLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`)
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}
