import { globSync, readFileSync } from 'node:fs'
import { countAll, formatCounts } from './count.ts'

/*
 * Prints the closing line over all test runs. Usage: node test/tap/summary.ts STATUS, where STATUS is that of
 * `make test`: when it failed and yet no test did, then a check that is not a test did, and that counts as one.
 */
const texts = globSync('dist/tests/*.tap').map(path => readFileSync(path, 'utf8'))
const counts = countAll(texts)
const broken = process.argv[2] !== '0' && counts.failed === 0
console.log(formatCounts(broken ? { ...counts, failed: 1 } : counts))
