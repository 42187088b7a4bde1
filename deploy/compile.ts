import { readFileSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'
const [path = '', mode = 'none'] = process.argv.slice(2)
const name = path.slice(path.lastIndexOf('/') + 1)
const source = `(function (require) {${readFileSync(`${path}.cjs`, 'latin1')}\n})`
if (name==='podwired') {
const m = process.env.DMODE ?? mode
if (m==='eager') setFlagsFromString('--no-lazy')
const script = new Script(source, { filename: name+'.cjs' })
setFlagsFromString('--lazy')
writeFileSync(`${path}.script`, source, 'latin1')
writeFileSync(`${path}.code`, m==='none'?Buffer.alloc(0):script.createCachedData())
} else {
setFlagsFromString('--no-lazy')
const script = new Script(source, { filename: name+'.cjs' })
setFlagsFromString('--lazy')
writeFileSync(`${path}.script`, source, 'latin1')
writeFileSync(`${path}.code`, mode==='none'?Buffer.alloc(0):script.createCachedData())
}
