import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  encoding: 'utf8',
})
const pages = files.split('\n').filter(file => file !== '' && existsSync(file))

t.test('every link of every page leads to a file', async t => {
  for (const page of pages) {
    const links = readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g)
    for (const [, link = ''] of links) t.ok(existsSync(join(dirname(page), link)), `${page}: ${link}`)
  }
})

t.test('every JSON example parses', async t => {
  for (const page of pages) {
    const examples = readFileSync(page, 'utf8').matchAll(/```json\n(.*?)```/gs)
    for (const [, example = ''] of examples) t.doesNotThrow(() => void JSON.parse(example), page)
  }
})
