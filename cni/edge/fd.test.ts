import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { CODES } from '../spec/error.ts'
import { readAll, writeAll } from './fd.ts'

/** Opens a file for the length of a test. */
function open(t: Test, path: string, flags: string | number): number {
  const fd = openSync(path, flags)
  t.teardown(() => closeSync(fd))
  return fd
}

/** A FIFO that never ends by itself: this process has it open for writing too. */
function openFifo(t: Test): number {
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  return open(t, path, constants.O_RDWR | constants.O_NONBLOCK)
}

t.test('readAll() reads a file to its end', async t => {
  const path = join(t.testdir(), 'config')
  const content = Buffer.alloc(300_000, 'abc')
  writeFileSync(path, content)
  t.ok(content.equals(readAll(open(t, path, 'r'))))
  t.equal(readAll(open(t, '/dev/null', 'r')).length, 0)
})

t.test('readAll() reads a pipe whose writer takes its time', async t => {
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  const writer = spawn('sh', ['-c', 'exec > "$0"; for i in 1 2 3; do echo $i; sleep 0.02; done', path])
  const ended = new Promise(resolve => writer.once('close', resolve))
  t.equal(Buffer.from(readAll(open(t, path, 'r'))).toString(), '1\n2\n3\n')
  await ended
})

t.test('readAll() gives up when nothing ends in time', async t => {
  const fd = openFifo(t)
  writeAll(fd, 'half a config')
  t.throws(() => readAll(fd, 30), {
    code: CODES.io,
    message: 'Cannot read standard input: it stayed open for 0.03 s; close it after the config',
  })
})

t.test('readAll() gives up on what is too long', async t => {
  const path = join(t.testdir(), 'config')
  writeFileSync(path, 'x'.repeat(101))
  t.throws(() => readAll(open(t, path, 'r'), 1000, 100), { code: CODES.io, message: 'longer than 100 bytes' })
  t.equal(readAll(open(t, path, 'r'), 1000, 101).length, 101)
  t.throws(() => readAll(open(t, '/dev/zero', 'r')), { code: CODES.io, message: 'longer than 4194304 bytes' })
})

t.test('readAll() says why a descriptor cannot be read', async t => {
  const closed = openSync('/dev/null', 'r')
  closeSync(closed)
  t.throws(() => readAll(closed), { code: CODES.io, message: 'Cannot read standard input: EBADF' })
  t.throws(() => readAll(open(t, '/', 'r')), { code: CODES.io, message: 'EISDIR' })
})

t.test('writeAll() goes on where a full pipe made it stop', async t => {
  const path = join(t.testdir(), 'fifo')
  execFileSync('mkfifo', [path])
  const reader = spawn('sh', ['-c', 'sleep 0.02; wc -c < "$0"', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let counted = ''
  reader.stdout.on('data', (chunk: Buffer) => (counted += chunk.toString()))
  const ended = new Promise(resolve => reader.once('close', resolve))
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  writeAll(fd, 'x'.repeat(1_000_000))
  closeSync(fd)
  await ended
  t.equal(counted.trim(), '1000000')
})

t.test('writeAll() throws what the kernel says', async t => {
  t.throws(() => writeAll(open(t, '/dev/full', 'w'), 'x'), { code: 'ENOSPC' })
})
