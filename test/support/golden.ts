import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

const FOLDER = join(import.meta.dirname, '../golden')

/** Compares a text with the file of that name in test/golden; `make golden` writes the files anew, for git to show. */
export function matchesGolden(t: Test, file: string, text: string): void {
  const path = join(FOLDER, file)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text)
  t.equal(existsSync(path) ? readFileSync(path, 'utf8') : '', text, `${file}; "make golden" rewrites it`)
}

/** The text of a golden file. */
export const readGolden = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

/** Titled parts as one readable file. */
export const sections = (parts: readonly (readonly [title: string, lines: readonly string[]])[]): string =>
  parts.map(([title, lines]) => [`## ${title}`, ...lines, ''].join('\n')).join('\n')
