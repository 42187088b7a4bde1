import { readFileSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

/*
 * Compiles a script for deploy/start.cjs. Usage: node --predictable deploy/compile.ts PATH eager|none, where PATH.cjs is
 * the script, and PATH.script and PATH.code are made: the code of all its functions, or none of it.
 * Without --predictable the code would hold this process's random hash seed, and no two builds be equal.
 */
const [path = '', mode] = process.argv.slice(2)
const filename = `${path.slice(path.lastIndexOf('/') + 1)}.cjs`
const source = `(function (require) {${readFileSync(`${path}.cjs`, 'latin1')}\n})`

setFlagsFromString('--no-lazy')
const script = mode === 'eager' ? new Script(source, { filename }) : undefined
// The code carries a hash of the flags, and V8 refuses it under others.
setFlagsFromString('--lazy')

writeFileSync(`${path}.script`, source, 'latin1')
writeFileSync(`${path}.code`, script?.createCachedData() ?? Buffer.alloc(0))
