import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'

const FOLDER = join(import.meta.dirname, '../golden')

/** Compares a text with the file of that name in test/golden. */
export function matchesGolden(t: Test, file: string, text: string): void {
  recordGolden(file, text)
  t.equal(text, readGolden(file), `${file} is as before; "make golden" rewrites it`)
}

/** Writes the file anew under `make golden`, for git to show the difference; does nothing otherwise. */
export function recordGolden(file: string, text: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(join(FOLDER, file), text)
}

/** The text of a file in test/golden; empty when there is none yet. */
export function readGolden(file: string): string {
  const path = join(FOLDER, file)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Titled parts as one readable file. */
export const sections = (parts: readonly (readonly [title: string, lines: readonly string[]])[]): string =>
  parts.map(([title, lines]) => [`## ${title}`, ...lines, ''].join('\n')).join('\n')
