import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Machine } from './machine.ts'

const ROOT = `${import.meta.dirname}/../..`

/** The launcher as it is built, and with the sanitizers of the C compiler. */
const launchers: Readonly<Record<string, string>> = {
  'as built': `${ROOT}/dist/podwire-launch`,
  sanitized: sanitized(),
}

function sanitized(): string {
  const folder = mkdtempSync('/tmp/podwire-launch-')
  t.teardown(() => rmSync(folder, { recursive: true }))
  const options = ['-std=c11', '-g', '-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
  const output = `${folder}/podwire-launch`
  execFileSync('cc', [...options, '-o', output, ...globSync(`${ROOT}/cni/launch/*.c`)], { stdio: 'inherit' })
  return output
}

/** A test with both launchers at the same time, each on a machine of its own. */
export function both(name: string, body: (t: Test, machine: Machine) => Promise<void>): void {
  t.test(name, { jobs: 2 }, async t => {
    await Promise.all(
      Object.entries(launchers).map(([kind, path]) =>
        t.test(kind, async t => body(t, await new Machine(t, path).ready())),
      ),
    )
  })
}
