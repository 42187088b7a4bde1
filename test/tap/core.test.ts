import { globSync } from 'node:fs'
import t from 'tap'

t.test('every file of a core is loaded, so that one without tests counts as not covered', async t => {
  const root = `${import.meta.dirname}/../..`
  const files = globSync('{cni,ipam,daemon}/core/**/*.ts', { cwd: root }).filter(f => !f.endsWith('.test.ts'))
  t.not(files.length, 0)
  for (const file of files) await import(`${root}/${file}`)
})
