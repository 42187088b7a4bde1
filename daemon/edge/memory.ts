import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes of JavaScript objects, those that nobody uses any more included. */
export const heapUsed = (): number => process.memoryUsage().heapUsed

/** Throws away all objects that nobody uses any more, and gives their memory back to the kernel. Takes some 50 ms. */
export function collectGarbage(): void {
  // Node.js offers it only to those who ask for it on the command line, or so.
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as NodeJS.GCFunction
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
