import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { installPlugin, type InstallReport } from '../../daemon/install.ts'
import { run } from '../ipam/spawn.ts'
import { fakeLog } from '../support/log.ts'

/** What stands in for the executable: it prints its version, the name it was called by and its arguments, then its input. */
export const standIn = (version: string, padding = 0): string =>
  `#!/bin/sh\necho "${version} \${0##*/} $*"\ncat\nexit "\${CODE:-0}"\n${'#'.repeat(padding)}\n`

/** The launcher as it was built. */
const LAUNCHER = resolve('dist/podwire-launch')

/** What else is in a node's folder of plugins. */
export const OTHERS = ['host-local', 'loopback', 'portmap', 'ptp']

/** All that an installation leaves. */
export const INSTALLED = [
  'podwire',
  'podwire-ipam',
  'podwire.d',
  'podwire.d/libatomic.so.1',
  'podwire.d/podwire',
  'podwire.d/podwire-ipam',
  'podwire.d/ready',
]

/** A folder to install from, and a node's folder of plugins with those of others in it. */
export class Installation {
  readonly root = mkdtempSync('/tmp/podwire install-')
  readonly from = join(this.root, 'image')
  readonly to = join(this.root, 'opt/cni/bin')

  #isMounted = false

  constructor(t: { teardown(handler: () => void): void }) {
    t.teardown(() => {
      if (this.#isMounted) execFileSync('umount', [this.to])
      rmSync(this.root, { recursive: true })
    })
    mkdirSync(this.from)
    mkdirSync(this.to, { recursive: true })
    for (const name of OTHERS) writeFileSync(join(this.to, name), name)
    this.release('v1')
  }

  /** Puts another version into the image. */
  release(version: string, padding = 0): void {
    this.program(this.from, standIn(version, padding))
    writeFileSync(join(this.from, 'libatomic.so.1'), `library of ${version}`)
    copyFileSync(LAUNCHER, join(this.from, 'podwire-launch'))
  }

  /** Writes an executable `podwire`. */
  program(folder: string, text: string): void {
    writeFileSync(join(folder, 'podwire'), text)
    chmodSync(join(folder, 'podwire'), 0o755)
  }

  /** Installs; answers what was written, seen from the folder of plugins, and what was said. */
  async install(from = this.from): Promise<InstallReport & { lines: string[] }> {
    const { log, lines } = fakeLog()
    const report = await installPlugin({ from, to: this.to, log })
    return { ...report, written: report.written.map(path => path.slice(this.to.length + 1)), lines }
  }

  /** What of ours is in the folder of plugins; throws when something of others is not as it was. */
  ours(): string[] {
    for (const name of OTHERS) if (readFileSync(join(this.to, name), 'utf8') !== name) throw new Error(name)
    const names = readdirSync(this.to, { recursive: true, encoding: 'utf8' })
    return names.filter(name => !OTHERS.includes(name)).sort()
  }

  /** Calls an installed plugin with an argument and an input; answers its lines, or how it failed. */
  async call(name = 'podwire', env: Readonly<Record<string, string>> = {}): Promise<string> {
    const outcome = run([join(this.to, name), 'an argument'], env, 'and input').outcome
    return outcome.then(
      ({ status, lines, stderr }) =>
        status === 0 && stderr === '' ? lines.join(', ') : `${status} ${lines.join(', ')} ${stderr}`,
      String,
    )
  }

  /** Mounts a small file system in the place of the folder of plugins. */
  mount(size: string): void {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', this.to])
    for (const name of OTHERS) writeFileSync(join(this.to, name), name)
    this.#isMounted = true
  }
}
