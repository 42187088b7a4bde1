import { readFileSync } from 'node:fs'

/** A manifest as users apply it. */
export const manifest = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../../deploy/${name}`, 'utf8')
