import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { compile } from './compile.ts'

const DIST = `${import.meta.dirname}/../../dist`
/** Where Debian's package containernetworking-plugins has the reference plugins. */
const REFERENCE = '/usr/lib/cni'

/** What lies in files while the benchmark runs. */
export interface Folders {
  /** The executable under its names. */
  readonly executable: string
  /** The launcher under the plugin's name. What it falls back on is not there: a call that the daemon does not take fails. */
  readonly launcher: string
  readonly reference: string
  readonly runner: string
  readonly pingpong: string
  readonly logs: string
}

/** Makes them; all go when this program ends. Throws when something is not built. */
export function makeFolders(): Folders {
  const logs = mkdtempSync(`${DIST}/bench-`)
  process.on('exit', () => rmSync(logs, { recursive: true, force: true }))
  const [executable, launcher] = [`${logs}/executable`, `${logs}/launcher`]
  for (const folder of [executable, launcher]) mkdirSync(folder)
  // Links: whoever builds meanwhile puts other files in the place of these.
  for (const name of ['podwire', 'podwire-ipam', 'podwired'])
    linkSync(`${DIST}/${name}`, `${executable}/${name}`)
  copyFileSync(`${DIST}/podwire-launch`, `${launcher}/podwire`)
  const [runner, pingpong] = [compile('runner', logs), compile('pingpong', logs)]
  return { executable, launcher, reference: REFERENCE, runner, pingpong, logs }
}
