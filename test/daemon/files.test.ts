import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { removeFile, writeWatched } from '../../daemon/edge/files.ts'
import { run } from '../ipam/spawn.ts'

/*
 * Writing the conflist where the file system refuses: the old one stays whole, nothing else is left, and the error says
 * what to do.
 */

const NAME = '10-podwire.conflist'

/** A file system of a test's own, with an old conflist on it. */
function mounted(t: Test, options: string) {
  const folder = mkdtempSync('/run/net.d-')
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder])
  t.teardown(() => {
    execFileSync('umount', [folder])
    rmdirSync(folder)
  })
  const path = join(folder, NAME)
  writeFileSync(path, 'old')
  return {
    path,
    filler: join(folder, 'filler'),
    makeReadOnly: () => execFileSync('mount', ['-o', 'remount,bind,ro', folder]),
    content: () => readFileSync(path, 'utf8'),
    names: () => readdirSync(folder).sort(),
  }
}

t.test('A full disk leaves the old conflist, and an equal one needs no room', async t => {
  const { path, filler, content, names } = mounted(t, 'size=64k')
  t.throws(() => writeFileSync(filler, 'x'.repeat(100_000)), { code: 'ENOSPC' })
  await t.rejects(writeWatched(path, 'new'), {
    message: `Cannot write ${path}: the disk is full; free some space or inodes there`,
  })
  t.equal(content(), 'old')
  t.same(names(), [NAME, 'filler'])
  t.equal(await writeWatched(path, 'old'), false)
  rmSync(filler)
  t.equal(await writeWatched(path, 'new'), true)
  t.same([content(), names()], ['new', [NAME]])
})

t.test('A disk without inodes leaves the old conflist', async t => {
  // Of four inodes, the folder and the old conflist have one each; the two files that a write makes need two.
  for (const fillers of [1, 2]) {
    const { path, filler, content, names } = mounted(t, 'nr_inodes=4')
    const files = Array.from({ length: fillers }, (_, i) => `${filler}${i}`)
    for (const file of files) writeFileSync(file, '')
    await t.rejects(writeWatched(path, 'new'), {
      message: /: the disk is full; free some space or inodes there$/,
    })
    t.same([content(), names().length], ['old', 1 + fillers])
    for (const file of files) rmSync(file)
    t.equal(await writeWatched(path, 'new'), true)
    t.same([content(), names()], ['new', [NAME]])
  }
})

t.test('A read-only disk leaves the old conflist', async t => {
  const { path, content, names, makeReadOnly } = mounted(t, 'size=64k')
  makeReadOnly()
  const advice = 'the file system is read-only; mount it writable'
  await t.rejects(writeWatched(path, 'new'), { message: `Cannot write ${path}: ${advice}` })
  await t.rejects(removeFile(path), { message: `Cannot remove ${path}: ${advice}` })
  t.equal(await writeWatched(path, 'old'), false)
  t.equal(await removeFile(`${path}.none`), false, 'what is not there needs no removal')
  t.same([content(), names()], ['old', [NAME]])
})

t.test(
  'A folder that root may not write, as in a container without DAC_OVERRIDE, leaves the old conflist',
  async t => {
    const { path, content, names } = mounted(t, 'size=64k')
    chmodSync(join(path, '..'), 0o555)
    const script = `
    const { writeWatched } = await import('${import.meta.dirname}/../../daemon/edge/files.ts')
    await writeWatched('${path}', 'new').catch(error => console.log(error.message))`
    const without = ['setpriv', '--bounding-set=-dac_override,-dac_read_search']
    const { lines } = await run([...without, process.execPath, '--input-type=module', '-e', script]).outcome
    t.same(lines, [
      `Cannot write ${path}: permission denied; run as root, and let root own the folder, or the container needs DAC_OVERRIDE`,
    ])
    t.same([content(), names()], ['old', [NAME]])
  },
)
