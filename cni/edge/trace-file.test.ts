import { execFileSync } from 'node:child_process'
import { readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { appendTrace } from './trace-file.ts'

t.test('appendTrace() makes a file for its owner alone, and adds to it', async t => {
  const path = join(t.testdir(), 'trace')
  appendTrace(path, 'a\n')
  appendTrace(path, 'b\n')
  t.equal(readFileSync(path, 'utf8'), 'a\nb\n')
  t.equal(statSync(path).mode & 0o777, 0o600)
})

t.test('appendTrace() follows no symbolic link', async t => {
  const folder = t.testdir({ target: 'kept' })
  symlinkSync(join(folder, 'target'), join(folder, 'link'))
  t.throws(() => appendTrace(join(folder, 'link'), 'x'), { code: 'ELOOP' })
  t.equal(readFileSync(join(folder, 'target'), 'utf8'), 'kept')
})

t.test('appendTrace() does not wait for the reader of a FIFO', async t => {
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  t.throws(() => appendTrace(path, 'x'), { code: 'ENXIO' })
})

t.test('appendTrace() throws when the folder is not there', async t => {
  t.throws(() => appendTrace(join(t.testdir(), 'no/trace'), 'x'), { code: 'ENOENT' })
})
