import { copyFileSync, linkSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import t from 'tap'
import { Lab, plugin, PODWIRE } from './lab.ts'

/*
 * The file that users copy about: it needs nothing beside it, and nothing in its environment moves it.
 */

/** A folder that holds the executable and nothing else; `/proc` is where even root can write no file. */
const folder = mkdtempSync('/tmp/podwire-executable-')
t.teardown(() => rmSync(folder, { recursive: true }))
const program = `${folder}/podwire`
copyFileSync(PODWIRE, program)
const UNWRITABLE = { HOME: '/proc', TMPDIR: '/proc' }

t.test('a copy of the executable answers VERSION with an empty environment', async t => {
  const answer = await plugin([program], { CNI_COMMAND: 'VERSION' }, '')
  t.match(answer, { code: 0, json: { cniVersion: '1.1.0' }, stderr: /^$/ })
})

t.test('a copy of the executable works where it can write neither HOME nor TMPDIR', async t => {
  const lab = new Lab(t)
  const pod = { id: 'c1', netns: lab.namespace(), env: UNWRITABLE }
  t.match(await lab.call('ADD', lab.config(), pod, program), { code: 0, stderr: /^$/ })
  t.match(await lab.call('DEL', lab.config(), pod, program), { code: 0, stdout: /^$/, stderr: /^$/ })
})

t.test('NODE_OPTIONS of the runtime changes nothing', async t => {
  const env = { CNI_COMMAND: 'VERSION', NODE_OPTIONS: '--require=/nonexistent.js --inspect-brk' }
  t.match(await plugin([program], env, ''), { code: 0, json: { cniVersion: '1.1.0' }, stderr: /^$/ })
})

t.test('arguments are the program’s own, never those of Node.js', async t => {
  t.match(await plugin([program, '--eval', '1'], {}, ''), { code: 2, stdout: /^$/, stderr: /--eval/ })
})

t.test('a hard link answers as the program that it is named after', async t => {
  for (const [name, code, about] of [
    ['podwire-ipam', 0, /^podwire-ipam: /],
    ['podwired', 2, /^podwired: /],
    ['any-other-name', 0, /^podwire: /],
  ] as const) {
    linkSync(program, `${folder}/${name}`)
    t.match(await plugin([`${folder}/${name}`], {}, ''), { code, stdout: /^$/, stderr: about }, name)
  }
})

t.test('the build links every name to one file', async t => {
  const { ino } = statSync(PODWIRE)
  for (const name of ['podwire-ipam', 'podwired'])
    t.equal(statSync(PODWIRE.replace(/podwire$/, name)).ino, ino, name)
})
