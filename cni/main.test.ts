import { spawnSync, type StdioOptions } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

/** Starts the program from its sources, under a name of its own. */
function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, input = '', argv0 = 'podwire') {
  const options = { argv0, env, input, encoding: 'utf8' } as const
  const argv = ['--no-warnings', join(ROOT, 'cni/main.ts'), ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, options)
  return { status, stdout, stderr }
}

t.test('podwire introduces itself on stderr', async t => {
  const answer = start([])
  t.match(answer, { status: 0, stdout: '' })
  t.match(answer.stderr, /^podwire: .*\nCNI protocol versions supported: 0\.1\.0, .*1\.1\.0\n$/)
})

t.test('podwire-ipam introduces itself, by the name it is called by', async t => {
  const answer = start([], {}, '', '/opt/cni/bin/podwire-ipam')
  t.match(answer, { status: 0, stdout: '', stderr: /^podwire-ipam: .*\nCNI protocol versions supported: / })
})

t.test('a program under any other name is podwire', async t => {
  for (const name of ['toString', 'node', '']) t.match(start([], {}, '', name), { stderr: /^podwire: / })
})

t.test('--version prints the version that package.json has', async t => {
  t.strictSame(start(['--version']), { status: 0, stdout: `podwire ${version}\n`, stderr: '' })
})

t.test('--help shows how to try it by hand', async t => {
  t.match(start(['--help']), { status: 0, stdout: 'CNI_COMMAND=ADD podwire --trace', stderr: '' })
})

t.test('--help says in one line that nobody can read it', async t => {
  const full = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(full))
  const stdio: StdioOptions = ['ignore', full, 'pipe']
  const argv = [join(ROOT, 'cni/main.ts'), '--help']
  const { status, stderr } = spawnSync(process.execPath, argv, { stdio, encoding: 'utf8' })
  t.equal(status, 1)
  t.match(stderr, /^Cannot write to standard output: ENOSPC[^\n]*\n$/)
})

t.test('an unknown argument is named', async t => {
  const stderr = 'Unknown argument "-x"; see podwire --help\n'
  t.strictSame(start(['--trace', '-x']), { status: 2, stdout: '', stderr })
})

t.test('arguments do not matter to a call of a runtime', async t => {
  const answer = start(['-x', '--version'], { CNI_COMMAND: 'VERSION' })
  t.equal(answer.status, 0)
  t.match(JSON.parse(answer.stdout), { cniVersion: '1.1.0', supportedVersions: Array })
})

t.test('a bad config on stdin is an error in JSON', async t => {
  const env = { CNI_COMMAND: 'STATUS', CNI_PATH: '/' }
  for (const argv0 of ['podwire', 'podwire-ipam']) {
    const answer = start([], env, '{', argv0)
    t.match(answer, { status: 1, stderr: '' })
    t.match(JSON.parse(answer.stdout), { cniVersion: '1.1.0', code: 6, msg: String })
  }
})
