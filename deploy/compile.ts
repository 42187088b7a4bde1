import { readFileSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

/*
 * Compiles a script with all its functions, for deploy/start.cjs. Usage: node --predictable deploy/compile.ts FOLDER,
 * which holds podwire.cjs and gets podwire.script and podwire.code.
 * Without --predictable the code would hold this process's random hash seed, and no two builds be equal.
 */
const folder = process.argv[2] ?? 'dist'
const source = `(function (require) {${readFileSync(`${folder}/podwire.cjs`, 'latin1')}\n})`

setFlagsFromString('--no-lazy')
const script = new Script(source, { filename: 'podwire.cjs' })
// The code carries a hash of the flags, and V8 refuses it under others.
setFlagsFromString('--lazy')

writeFileSync(`${folder}/podwire.script`, source, 'latin1')
writeFileSync(`${folder}/podwire.code`, script.createCachedData())
